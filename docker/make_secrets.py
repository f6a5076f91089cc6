"""Passwords and keys for compose.yaml, each in a file of its own below ``docker/secrets``; what is there stays.

    python docker/make_secrets.py

The folder is for its owner alone. The files in it can be read by all, for in a container another account reads them.
Needs Python alone.
"""

import base64
import json
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "secrets"
DATABASES = ("airflow", "mlflow")
"""On the server ``postgres`` of compose.yaml; each has its URL in ``NAME_database``."""
USER = "kilnworks"


def main(folder: Path = FOLDER) -> int:
    """Make what is missing; says where the passwords of people are."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    password = _kept(folder / "postgres_password", _password())
    for name in DATABASES:
        url = f"postgresql+psycopg2://{USER}:{password}@postgres:5432/{name}"
        _kept(folder / f"{name}_database", url)
    _kept(folder / "airflow_fernet_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    for name in ("airflow_api_key", "airflow_jwt_key"):
        _kept(folder / name, secrets.token_urlsafe(64))
    _kept(folder / "airflow_passwords", json.dumps({user: _password() for user in ("admin", "viewer")}))
    _kept(folder / "grafana_password", _password())
    sys.stdout.write(f"Airflow: admin and viewer, {folder / 'airflow_passwords'}\n")
    sys.stdout.write(f"Grafana: admin, {folder / 'grafana_password'}\n")
    return 0


def _password() -> str:
    return secrets.token_urlsafe(18)


def _kept(path: Path, fresh: str) -> str:
    """The content of a file; ``fresh`` where there is none. It is there whole or not at all."""
    if not path.is_file():
        made = path.with_name(f".{path.name}.partial")
        made.write_text(fresh)
        made.chmod(0o444)
        made.replace(path)
    return path.read_text()


if __name__ == "__main__":
    sys.exit(main())

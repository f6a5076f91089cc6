"""The one type of a setting that holds a secret: written as a reference, resolved when it is used, never shown.

::

    ${NAME}                     an environment variable
    ${file:/run/secrets/NAME}   the content of a file, such as a mounted secret, without a last line break
    ${connection:ID}            a connection of Airflow, as a URL; ${connection:ID.password} one part of it
    ${variable:NAME}            a variable of Airflow

A plain value works as well. It is in the definition's own file then, or in the history of a shell: a reference is not.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.masking import masked, names_secret, only_references, remember, remember_pair
from kilnworks.schemas.wire import HIDDEN

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_IN_URL = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>[^{}]*)\}|(?P<plain>[A-Za-z_]\w*))")
_RESERVED = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=%:]|%(?![0-9A-Fa-f]{2})")
"""What a URL does not take in a password as it is."""
MOST_BYTES = 2**20
"""Largest file that is read as a secret."""
CONNECTION_VARIABLE, AIRFLOW_VARIABLE = "AIRFLOW_CONN_", "AIRFLOW_VAR_"
"""Prefixes of the environment variables in which Airflow hands connections and variables to a process."""


class Secret:
    """A password, token or key. ``reveal`` gives it to the code that needs it; everything else sees ``***``.

    Two secrets are equal where they are written equally. A secret counts for nothing in a fingerprint: a changed one
    makes no step run again.
    """

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "minLength": 1,
        "format": "password",
        "writeOnly": True,
        "pattern": r"^(\*\*\*|\$\{[^{}]+\})$",
    }
    """For forms: what is typed there is stored by others, so that only a reference is taken."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        self._learn()

    @classmethod
    def env(cls, name: str) -> Self:
        """The environment variable of that name."""
        return cls(f"${{{name}}}")

    @classmethod
    def file(cls, path: str | Path) -> Self:
        """The content of a file, without a last line break."""
        return cls(f"${{file:{path}}}")

    @classmethod
    def connection(cls, name: str, part: str = "") -> Self:
        """A connection of Airflow as a URL, or a part of it: login, password, host, port, schema, or of its extra."""
        return cls(f"${{connection:{name}{'.' + part if part else ''}}}")

    @classmethod
    def variable(cls, name: str) -> Self:
        """A variable of Airflow."""
        return cls(f"${{variable:{name}}}")

    def reveal(self) -> str:
        """The secret itself, looked up now.

        Raises:
            ConfigError: what it refers to is not there, or the value was hidden when it was stored.
        """
        self._refuse_hidden()
        reference = _REFERENCE.fullmatch(self._text)
        value = self._text if reference is None else resolved(reference[1])
        remember(value)
        return value

    def references(self) -> list[str]:
        """What it refers to: ``NAME``, ``file:PATH``, ``connection:ID``, ``variable:NAME``."""
        found = _REFERENCE.fullmatch(self._text)
        return [found[1]] if found else []

    def identity(self) -> str:
        """What counts for a fingerprint."""
        return HIDDEN

    def _learn(self) -> None:
        if not self.references():
            remember(self._text)

    def _refuse_hidden(self) -> None:
        if HIDDEN in self._text:
            raise ConfigError(
                f"the setting is {str(self)!r}: its secret was hidden when it was stored",
                "the secret, or better a reference such as ${PASSWORD} or ${file:/run/secrets/password}",
                "give the setting again",
            )

    def __str__(self) -> str:
        return self._text if _REFERENCE.fullmatch(self._text) else HIDDEN

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._text == self._text

    def __hash__(self) -> int:
        return hash((type(self), self._text))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._text,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Takes an object or a text; is written as its reference, or as ``***``."""
        written = core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema())
        return core_schema.no_info_plain_validator_function(cls._taken, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """For forms and documents."""
        return dict(cls.json_schema)

    @classmethod
    def _taken(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, Secret):
            value = value._text
        if isinstance(value, Path):
            value = str(value)
        if not isinstance(value, str) or not value:
            raise PydanticCustomError("secret_text", "should be a text with at least one character")
        return cls(value)


class SecretUrl(Secret):
    """A URL that may hold secrets: as a user's password, in its query, as references or plainly.

    Shown and stored with ``***`` for each of them; user, host and path are shown. What a reference stands for is quoted
    where the URL would misread it.
    """

    json_schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "minLength": 1,
        "pattern": r"^(?!.*://[^/@]*:(?!\$|\*\*\*)[^@]*@).+$",
    }

    __slots__ = ()

    def reveal(self) -> str:
        """The URL with every reference looked up now. Raises ``ConfigError`` as ``Secret.reveal`` does."""
        self._refuse_hidden()
        places = list(_IN_URL.finditer(self._text))
        begin, end = self._text.find("://"), self._text.rfind("@")
        query = self._text.find("?")
        found, last = [], 0
        for place in places:
            secret = begin < place.start() < end or 0 <= query < place.start()
            found += [self._text[last : place.start()], _looked_up(place, quoted=secret)]
            last = place.end()
        url = "".join([*found, self._text[last:]])
        _learn_url(url)
        return url

    def references(self) -> list[str]:
        """What it refers to, in the order in which it stands there."""
        places = _IN_URL.finditer(self._text)
        return [name for name in (place["braced"] or place["plain"] for place in places) if name]

    def identity(self) -> str:
        """The URL without its secrets."""
        return _IN_URL.sub(HIDDEN, str(self))

    @property
    def template(self) -> str:
        """The URL as it was written, with its secrets: for code that changes its path."""
        return self._text

    def _learn(self) -> None:
        _learn_url(_IN_URL.sub("", self._text))

    def __str__(self) -> str:
        return shown_url(self._text)


def shown_url(url: str) -> str:
    """A text that is one URL and nothing else, without its secrets; its password may hold any character."""
    head, mark, rest = url.partition("://")
    place, at, host = rest.rpartition("@")
    user, colon, password = place.partition(":")
    if mark and at and colon and not any(sign in user for sign in "/?#") and password:
        url = f"{head}://{user}:{HIDDEN if not only_references(password) else password}@{host}"
    return masked(url)


def resolved(reference: str) -> str:
    """What a reference stands for. Raises ``ConfigError`` where that is not there."""
    kind, colon, name = reference.partition(":")
    if colon and kind == "file":
        return _content(Path(name))
    if colon and kind == "connection":
        return _of_connection(name)
    if colon and kind == "variable":
        return _of_environment(AIRFLOW_VARIABLE + name.upper(), f"variable {name!r} of Airflow")
    if re.fullmatch(r"\w+", reference):
        return _of_environment(reference, f"environment variable {reference}")
    raise ConfigError(
        f"the reference ${{{reference}}}",
        "${NAME}, ${file:PATH}, ${connection:ID}, ${connection:ID.password} or ${variable:NAME}",
        "correct the setting",
    )


def _looked_up(place: re.Match[str], *, quoted: bool) -> str:
    if place["dollar"]:
        return "$"
    value = resolved(place["braced"] if place["braced"] is not None else place["plain"])
    if not quoted:
        return value
    remember(value)
    return quote(value, safe="") if _RESERVED.search(value) or ":" in value else value


def _learn_url(url: str) -> None:
    """Remember what is secret in a URL, quoted and not."""
    _, mark, rest = url.partition("://")
    place, at, _ = rest.rpartition("@")
    user, colon, password = place.partition(":")
    if mark and at and colon and not any(sign in user for sign in "/?#"):
        for secret in {password, unquote(password)}:
            remember_pair(unquote(user), secret)
    query = url.partition("?")[2].partition("#")[0]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if names_secret(name) or name.lower() in ("key", "sig", "pass", "auth", "code"):
            remember(value)


def _of_environment(name: str, what: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ConfigError(f"there is no {what}", f"${name} in the environment of this process", "set it")
    return value


def _content(path: Path) -> str:
    try:
        with path.expanduser().open("rb") as file:
            found = file.read(MOST_BYTES + 1)
        if len(found) > MOST_BYTES:
            raise ConfigError(f"the file {path} has more than {MOST_BYTES} bytes", "a file with one secret", "name it")
        return found.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text in UTF-8"
        raise ConfigError(
            f"secret file {path} cannot be read: {reason}",
            "a readable text file",
            "mount it, or correct its path",
        ) from None


def _of_connection(name: str) -> str:
    """A connection of Airflow, or a part of it, from the variable in which Airflow hands it to a process."""
    ids = [one for one in (name, name.rpartition(".")[0]) if one]
    known = next((one for one in ids if CONNECTION_VARIABLE + one.upper() in os.environ), ids[-1])
    text = _of_environment(CONNECTION_VARIABLE + known.upper(), f"connection {known!r} of Airflow")
    part = name[len(known) + 1 :]
    parts = _parts(text)
    if not part:
        return _as_url(parts)
    if parts.get(part) in (None, ""):
        raise ConfigError(
            f"connection {known!r} of Airflow has no {part}", f"one of {', '.join(k for k, v in parts.items() if v)}",
            "correct the reference, or the connection",
        )  # fmt: skip
    return str(parts[part])


def _parts(text: str) -> dict[str, Any]:
    """Parts of a connection that is written as JSON or as a URL; those of its extra beside them."""
    if text.lstrip().startswith("{"):
        tree = json.loads(text)
        extra = tree.pop("extra", None) or {}
        return {**(json.loads(extra) if isinstance(extra, str) else extra), **tree}
    url = urlsplit(text)
    more = dict(parse_qsl(url.query))
    extra = json.loads(more.pop("__extra__", "") or "{}")
    return {
        **more,
        **extra,
        "conn_type": url.scheme,
        "login": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "host": unquote(url.hostname or ""),
        "port": url.port,
        "schema": unquote(url.path.lstrip("/")),
    }


def _as_url(parts: dict[str, Any]) -> str:
    """A connection as SQLAlchemy reads it."""
    kind = str(parts.get("conn_type") or "postgresql")
    kind = "postgresql" if kind == "postgres" else kind
    login, password = (quote(str(parts.get(name) or ""), safe="") for name in ("login", "password"))
    user = f"{login}{':' + password if password else ''}@" if login or password else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    known = ("conn_type", "login", "password", "host", "port", "schema", "description")
    query = urlencode({k: v for k, v in parts.items() if k not in known and isinstance(v, str | int)})
    where = f"{parts.get('host') or ''}{port}/{quote(str(parts.get('schema') or ''))}"
    return f"{kind}://{user}{where}{'?' + query if query else ''}"

"""The logs of running tasks, served to Airflow's UI from 127.0.0.1 alone.

Airflow's scheduler and triggerer would serve them on every address of the machine; they are told not to, and this
serves the same application in their place.
"""

import sys

HOST = "127.0.0.1"


def hostname() -> str:
    """Where Airflow's UI looks for the logs of a task (``[core] hostname_callable``)."""
    return HOST


def main(port: int) -> None:
    """Serve until the process is ended."""
    import uvicorn

    uvicorn.run(
        "airflow.utils.serve_logs.log_server:get_app",
        factory=True,
        host=HOST,
        port=port,
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))

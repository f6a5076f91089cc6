"""Sends an alert of a DAG run to where people look: by Airflow's connections, and to one address of the environment.

::

    KILNWORKS_ALERT_CONNECTIONS=team_chat,ops_mail    ids of connections, as Airflow keeps them
    KILNWORKS_ALERT_URL=https://...                   takes the alert as JSON

    slackwebhook    the incoming webhook of a chat: {"text": ...} to the host, the password behind it as a path
    http            the alert as JSON to the host; login and password, and the extra as headers
    smtp            a mail to the extra's "to", from its "from_email"
"""

import base64
import html
import json
import logging
import os
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from smtplib import SMTPException
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowException

from kilnworks.schemas.masking import masked, remember_pair
from kilnworks.schemas.secret import SecretUrl, shown_url

URL_VARIABLE = "KILNWORKS_ALERT_URL"
CONNECTIONS_VARIABLE = "KILNWORKS_ALERT_CONNECTIONS"
POST_SECONDS = 5.0
SLACK = "https://hooks.slack.com/services"
LOG = logging.getLogger(__name__)
Alert = Mapping[str, Any]


def send(alert: Alert) -> None:
    """Send one alert to all that are named. One that cannot be reached is a warning, and the others get theirs."""
    url = os.environ.get(URL_VARIABLE)
    if url:
        _tried(url, lambda: _post(SecretUrl(url).reveal(), alert))
    for name in filter(None, map(str.strip, os.environ.get(CONNECTIONS_VARIABLE, "").split(","))):
        _tried(f"connection {name}", partial(_by_connection, name, alert))


def sentence(alert: Alert) -> str:
    """The alert for a person, with its link."""
    task = f" {alert['task']}" if alert["task"] else ""
    return f"{alert['kind']}: {alert['pipeline']}{task}: {alert['text']}\n{alert['link']}"


def _tried(name: str, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except (OSError, ValueError, KeyError, SMTPException, AirflowException) as error:
        LOG.warning("the alert was not taken by %s: %s: %s", shown_url(name), type(error).__name__, masked(str(error)))


def _by_connection(name: str, alert: Alert) -> None:
    connection = BaseHook.get_connection(name)
    remember_pair(connection.login or "", connection.password or "")
    match connection.conn_type:
        case "slackwebhook":
            token = f"/{connection.password}" if connection.password else ""
            _post(f"{_address(connection, SLACK)}{token}", {"text": sentence(alert)})
        case "http" | "https":
            _post(_address(connection), alert, _headers(connection))
        case "smtp":
            _mail(connection, alert)
        case kind:
            raise ValueError(f"alerts go by connections of type slackwebhook, http and smtp, not {kind}")


def _address(connection: Connection, default: str = "") -> str:
    """``SCHEMA://HOST:PORT`` as Airflow's own HTTP connections are read; the host may be a whole address."""
    host = (connection.host or default).rstrip("/")
    if not host:
        raise ValueError("it has no host")
    whole = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return f"{whole}:{connection.port}" if connection.port else whole


def _headers(connection: Connection) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in connection.extra_dejson.items()}
    if connection.login:
        pair = f"{connection.login}:{connection.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return headers


def _post(url: str, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
    content_type = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(content).encode(), {**content_type, **(headers or {})})
    urllib.request.urlopen(request, timeout=POST_SECONDS).close()


def _mail(connection: Connection, alert: Alert) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    lines = "".join(f"<p>{html.escape(line)}</p>" for line in sentence(alert).splitlines())
    with SmtpHook(smtp_conn_id=connection.conn_id) as hook:
        hook.send_email_smtp(
            to=connection.extra_dejson["to"],
            subject=f"{alert['kind']}: {alert['pipeline']} {alert['task']}".strip(),
            html_content=lines,
        )

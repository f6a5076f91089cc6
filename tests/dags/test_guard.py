"""The check before Airflow's API: what it looks at, and that it hands on what is not its own."""

import asyncio
import json

import pytest

from kilnworks.dags.guard import Guard, asked

TRIGGER = "/api/v2/dags/churn/dagRuns"


def sent(path, chunks, method="POST"):
    """What an application behind the guard is given, and what it answers with."""
    given, answers = [], []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            given.append(message["body"])
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 201})

    messages = [{"type": "http.request", "body": c, "more_body": i + 1 < len(chunks)} for i, c in enumerate(chunks)]

    async def receive():
        return messages.pop(0)

    async def send(message):
        answers.append(message["status"])

    scope = {"type": "http", "method": method, "path": path, "headers": []}
    asyncio.run(Guard(app)(scope, receive, send))
    return b"".join(given), answers


@pytest.mark.parametrize("path", [TRIGGER, "/elsewhere", f"{TRIGGER}/r/clear"])
def test_a_request_is_handed_on_as_it_came(path):
    assert sent(path, [b'{"co', b'nf": {}}']) == (b'{"conf": {}}', [201])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"conf": 3}', b'{"conf": null}'])
def test_what_airflow_will_not_understand_is_left_to_it(body):
    assert sent(TRIGGER, [body]) == (body, [201])
    assert asked(TRIGGER, body)[1] == {}


def test_dag_and_settings_of_triggers_and_backfills():
    given = {"model.epochs": 3}
    assert asked(TRIGGER, json.dumps({"conf": given}).encode()) == ("churn", given)
    assert asked(f"/base{TRIGGER}/", json.dumps({"conf": given}).encode()) == ("churn", given)
    backfill = json.dumps({"dag_id": "weekly", "dag_run_conf": given}).encode()
    assert asked("/api/v2/backfills", backfill) == ("weekly", given)

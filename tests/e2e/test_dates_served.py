"""A date from a file to the wire: written as month/day/year with two digits, asked for as text, seconds and wrongly."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.serving.client import Client
from kilnworks.schemas.errors import RequestInvalid
from kilnworks.schemas.files import read_json
from tests.e2e.test_new import kilnworks, quick
from tests.served import served

pytestmark = pytest.mark.e2e

DAYS = [date(1998, 1, 1) + timedelta(days=8 * k) for k in range(300)]


def seconds(day: date) -> int:
    return int((datetime(day.year, day.month, day.day) - datetime(1970, 1, 1)).total_seconds())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained and published model whose answer follows the month."""
    folder = tmp_path_factory.mktemp("dates")
    chance = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "when": [day.strftime("%m/%d/%y") for day in DAYS],
            "size": chance.normal(50, 10, len(DAYS)).round(2),
            "sold": ["yes" if (day.month <= 6) != (chance.random() < 0.1) else "no" for day in DAYS],
        }
    )
    frame.write_csv(folder / "visits.csv")
    said = kilnworks(folder, "new", "visits", "--data", str(folder / "visits.csv"), "--label", "sold")
    assert "two-digit years are 1969 to 2068" in said
    quick(folder, "visits")
    kilnworks(folder, "run", "visits")
    return folder


@pytest.fixture(scope="module")
def ports(project: Path) -> Iterator[dict[str, int]]:
    with served(f"--store={project / 'store'}", "--contract_check=true") as announced:
        yield announced


def rest(ports: dict[str, int], body: object, verb: str = "predict") -> tuple[int, dict[str, object]]:
    url = f"http://127.0.0.1:{ports['rest_api_port']}/v1/models/visits:{verb}"
    request = urllib.request.Request(url, body if isinstance(body, bytes) else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_unit_is_written_beside_the_model_and_in_show(project):
    (contract,) = (project / "store" / "serving").glob("**/assets.extra/contract.json")
    assert read_json(contract)["dates"] == {"when": {"format": "%m/%d/%y", "first_year": 1969}}
    told = read_json(contract.with_name("inputs.json"))["when"]
    assert told["unit"] == "seconds since 1970-01-01 UTC"
    assert told["first"] == seconds(DAYS[0]), "two-digit years of the last century are not years 98 and 99"
    assert "when: int64 [n], seconds since 1970-01-01 UTC" in kilnworks(project, "show", "visits")


def test_text_and_seconds_and_a_file_are_answered_alike(project, ports):
    days = [date(1999, 3, 1), date(2001, 10, 31)]
    with Client(f"127.0.0.1:{ports['grpc_port']}") as client:
        inputs = {"when": np.array([seconds(d) for d in days]), "size": np.array([50, 50], np.float32)}
        known = client.predict("visits", inputs).outputs["score"].tolist()
    columns = {"when": [d.isoformat() for d in days], "size": [50, 50]}
    rows = [{"when": f"{d}T02:00:00+02:00", "size": 50} for d in days]
    counted = [{"when": seconds(d), "size": 50} for d in days]
    for body in ({"instances": rows}, {"instances": counted}):
        code, answer = rest(ports, body)
        assert code == 200, answer
        assert [row["score"] for row in answer["predictions"]] == pytest.approx(known)
    code, answer = rest(ports, {"inputs": columns})
    assert code == 200 and answer["outputs"]["score"] == pytest.approx(known)
    pl.DataFrame({"when": [d.strftime("%m/%d/%y") for d in days], "size": [50.0, 50.0]}).write_csv(project / "ask.csv")
    kilnworks(project, "predict", "visits", str(project / "ask.csv"), "--output", str(project / "out.csv"))
    assert pl.read_csv(project / "out.csv")["probability_yes"].to_list() == pytest.approx(known, abs=1e-6)


def test_another_unit_or_another_spelling_is_refused(ports):
    right = seconds(date(2001, 3, 1))
    for value, words in (
        (right * 1000, "looks like milliseconds"),
        (right * 10**6, "looks like microseconds"),
        (right // 1000, "looks like thousands of seconds"),
        ("03/01/01", "must be a moment as ISO 8601 text"),
    ):
        code, answer = rest(ports, {"instances": [{"when": right, "size": 50}, {"when": value, "size": 50}]})
        assert code == 400 and "column 'when', row 1" in str(answer["error"]) and words in str(answer["error"])
    with Client(f"127.0.0.1:{ports['grpc_port']}") as client, pytest.raises(RequestInvalid, match="milliseconds"):
        client.predict("visits", {"when": np.array([right * 1000]), "size": np.array([50], np.float32)})


def test_classify_takes_the_same_texts(ports):
    day = date(2001, 3, 1)
    bodies = [
        {"examples": [{"when": when, "size": 50.0}]}
        for when in (seconds(day), [seconds(day)], day.isoformat(), [f"{day}T02:00:00+02:00"])
    ]
    bodies.append({"context": {"when": day.isoformat()}, "examples": [{"size": 50.0}]})
    answers = [rest(ports, {"signature_name": "classify", **body}, "classify") for body in bodies]
    assert [code for code, _ in answers] == [200] * len(bodies), answers
    assert all(answer == answers[0][1] for _, answer in answers)
    wrong = {"examples": [{"when": day.isoformat(), "size": 50.0}, {"when": "03/01/01", "size": 50.0}]}
    code, answer = rest(ports, {"signature_name": "classify", **wrong}, "classify")
    assert code == 400 and "column 'when', row 1: must be a moment as ISO 8601 text" in str(answer["error"])
    missing = {"examples": [{"when": "", "size": 50.0}, {"size": 50.0}]}
    code, answer = rest(ports, {"signature_name": "classify", **missing}, "classify")
    assert code == 200 and answer["results"][0] == answer["results"][1], "an empty text is a missing date"


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e39", "1e999"])
def test_endless_numbers_in_a_batch_are_named_by_every_call(ports, number):
    right = seconds(date(2001, 3, 1))
    good, bad = f'{{"when": {right}, "size": 50.0}}', f'{{"when": {right}, "size": {number}}}'
    columns = f'{{"when": [{right}, {right}, {right}], "size": [50.0, {number}, 51.0]}}'
    for verb, body in (
        ("predict", f'{{"instances": [{good}, {bad}, {good}]}}'),
        ("predict", f'{{"inputs": {columns}}}'),
        ("classify", f'{{"signature_name": "classify", "examples": [{good}, {bad}, {good}]}}'),
    ):
        code, answer = rest(ports, body.encode(), verb)
        told = "a number that no double holds" if number == "1e999" else "column 'size', row 1"
        assert code == 400 and told in str(answer["error"]), (verb, answer)
    value = float(number.replace("Infinity", "inf"))
    with Client(f"127.0.0.1:{ports['grpc_port']}") as client:
        with np.errstate(over="ignore"):
            inputs = {"when": np.array([right] * 3), "size": np.array([50, value, 51]).astype(np.float32)}
        with pytest.raises(RequestInvalid, match="column 'size', row 1"):
            client.predict("visits", inputs)
        examples = [{"when": right, "size": size} for size in (50.0, value, 51.0)]
        with pytest.raises(RequestInvalid, match="column 'size', row 1"):
            client.classify("visits", examples, signature="classify")

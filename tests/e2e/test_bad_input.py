"""What does not fit, on every way in: ``new``, ``run``, ``predict``, gRPC and REST, without and with contract check.

The table of ``docs/bad-input.md`` says what happens; here each of its cells is tried, on one small model a family.
"""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.files import read_json
from kilnworks_client import Client, RequestInvalid
from tests.e2e.bad_rows import (
    COURSE,
    FILES,
    GOOD,
    INF,
    NAN,
    ONE,
    QUICK,
    RIDES,
    SET_ASIDE,
    TEMP,
    TEN_MB,
    at_row,
    boxes,
    changed,
    hours,
    texts,
    write,
)
from tests.served import served as server

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
FINITE = "must be a finite number of at most 3.4e+38"


def _into(monkeypatch, folder: Path) -> None:
    for name, value in {"ROOT": folder, "STORE": folder / "store"}.items():
        monkeypatch.setenv(f"KILNWORKS_{name}", str(value))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Each family from ``new`` on a file with bad rows to a published model."""
    folder = tmp_path_factory.mktemp("bad")
    write(folder)
    with pytest.MonkeyPatch.context() as patch:
        _into(patch, folder)
        for name, (file, *options) in FILES.items():
            assert main(["new", name, "--data", str(folder / file), *options]) == 0
            if name == "bikes":
                with (folder / file).open("a") as rows:
                    rows.write(",10.0,50.0\n")
            sets = [
                word
                for one in [*QUICK[name], "evaluation.better_than=[]", "evaluation.max={}"]
                for word in ("--set", one)
            ]
            assert main(["run", name, "--run-id", "one", "--promote", *sets]) == 0
    return folder


# ---- new and run


@pytest.mark.parametrize("name", FILES)
def test_run_sets_rows_with_an_infinite_number_aside_and_learns_from_the_rest(project, name) -> None:
    counts = [
        sum(
            split["rows"]
            for split in read_json(project / f"store/runs/{name}/one/{step}/examples.json")["splits"].values()
        )
        for step in ("examples", "checked")
    ]
    assert counts[0] - counts[1] == SET_ASIDE[name]


HOUR = hours()
SERIES = {
    "a moment twice": (pl.concat([HOUR, HOUR[9:11]]), "4 rows share their moment in 'hour'"),
    "beside the step": (
        HOUR.with_columns(at_row(5, "hour", HOUR["hour"][5].replace(minute=7))),
        "2 of 479 moments in 'hour' lie beside",
    ),
    "no value at all": (HOUR.with_columns(rides=pl.lit(None, pl.Float64)), "label 'rides'"),
}


@pytest.mark.parametrize("kind", SERIES)
def test_new_refuses_a_series_that_is_none(tmp_path, monkeypatch, capsys, kind) -> None:
    _into(monkeypatch, tmp_path)
    rows, said = SERIES[kind]
    rows.write_csv(tmp_path / "hours.csv")
    assert main(["new", "x", "--data", str(tmp_path / "hours.csv"), *FILES["bikes"][1:]]) != 0
    told = capsys.readouterr().err
    assert said in told and "wanted:" in told and "to do:" in told


@pytest.mark.parametrize(
    ("horizon", "said"),
    [("0", "greater than or equal to 1"), ("day", "valid integer"), ("600", "a horizon of 600 steps")],
)
def test_new_refuses_a_wrong_horizon(project, tmp_path, monkeypatch, capsys, horizon, said) -> None:
    _into(monkeypatch, tmp_path)
    asked = ["--data", str(project / "hours.csv"), "--label", "rides", "--horizon", horizon]
    assert main(["new", "x", *asked]) != 0
    assert said in capsys.readouterr().err


TURNS = {"course": np.ones((80, 5, 2), np.float32), "side": np.array(["left", "right"] * 40)}
PEOPLE = pl.DataFrame({"review": ["good film"] * 80, "age": [40.0] * 80, "plan": ["plus"] * 80, "stars": [0, 1] * 40})
LATER = {
    "a moment twice": ("bikes", SERIES["a moment twice"][0], "'hour'"),
    "beside the step": ("bikes", SERIES["beside the step"][0], "'hour'"),
    "no value at all": ("bikes", SERIES["no value at all"][0], "100.00% of the rows are bad"),
    "too few for the horizon": ("bikes", HOUR[:60], "window"),
    "a short sequence": ("turns", TURNS, "column 'course': 10 elements at row 1"),
    "text for a number": ("reviews", PEOPLE.with_columns(age=pl.lit("old")), "a text that is not a number: 'old'"),
    "no UTF-8": (
        "reviews",
        b"review,age,plan,stars\ngood \xff film,40,plus,1\n" * 40,
        "line 2 holds bytes that are not utf-8",
    ),
}
"""What becomes of a file after ``new`` has seen a good one, and what ``run`` says of it."""


def _write(path: Path, rows: object) -> Path:
    if isinstance(rows, dict):
        np.savez(path.with_suffix(".npz"), **rows)
        return path.with_suffix(".npz")
    path.write_bytes(rows) if isinstance(rows, bytes) else rows.write_csv(path)
    return path


@pytest.mark.parametrize("kind", LATER)
def test_run_refuses_a_file_that_does_not_fit_any_more(project, tmp_path, monkeypatch, capsys, kind) -> None:
    _into(monkeypatch, project)
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    name, rows, said = LATER[kind]
    path = _write(tmp_path / "rows.csv", rows)
    assert main(["run", name, "--set", f"examples.source.path={path}"]) != 0
    told = capsys.readouterr().err
    assert said in told and "wanted:" in told and "to do:" in told


def test_new_reads_bytes_that_are_no_utf8_as_cp1252_and_says_so(tmp_path, monkeypatch, capsys, caplog) -> None:
    _into(monkeypatch, tmp_path)
    lines = b"good film,40,plus,1\nbad \xff film,41,basic,0\n" * 100
    path = _write(tmp_path / "rows.csv", b"review,age,plan,stars\n" + lines)
    main(["new", "x", "--data", str(path), "--label", "stars"])
    assert "is not UTF-8 and is read as cp1252" in caplog.text + capsys.readouterr().err


def test_boxes_outside_of_their_image_are_cut_or_refused(tmp_path, monkeypatch, capsys) -> None:
    _into(monkeypatch, tmp_path)
    boxes(tmp_path, outside=True)
    assert main(["new", "dots", "--data", str(tmp_path)]) == 0
    assert "1 reach out of the image" in capsys.readouterr().out
    assert "mend=True" in (tmp_path / "pipelines/dots.py").read_text()
    assert main(["run", "dots", "--set", "examples.source.mend=false"]) != 0
    told = capsys.readouterr().err
    assert "inside" in told and "wanted:" in told and "to do:" in told


# ---- predict

MOMENTS = pl.datetime_range(pl.datetime(2024, 1, 21), pl.datetime(2024, 1, 21, 11), "1h", eager=True)
NEXT = pl.DataFrame({"hour": MOMENTS, "temp": [10.0] * 12, "rides": [50.0] * 12})
PERSON = PEOPLE.drop("stars")[:1]
PARTS = pl.DataFrame({f"m{k}": [float(k)] for k in range(4)})
ASKED = {
    "a gap in time": ("bikes", pl.concat([NEXT[:3], NEXT[6:]]), 9),
    "a missing value": ("bikes", NEXT.with_columns(at_row(3, "rides", None), at_row(4, "temp", None)), 12),
    "a horizon without any value": ("bikes", NEXT.with_columns(rides=pl.lit(None, pl.Float64)), 12),
    "a moment twice": ("bikes", pl.concat([NEXT, NEXT[3:5]]), "2 moments come twice in 'hour'"),
    "no moment": ("bikes", NEXT.with_columns(at_row(3, "hour", None)), "1 rows have no 'hour'"),
    "beside the step": ("bikes", NEXT.with_columns(at_row(4, "hour", NEXT["hour"][4].replace(minute=5))), "lie beside"),
    "long after": ("bikes", NEXT.with_columns(pl.col("hour").dt.offset_by("30d")), "no value in the 168 steps before"),
    "infinite in what is known": (
        "bikes",
        NEXT.with_columns(at_row(3, "temp", INF)),
        f"column 'temp', row 4: {FINITE}",
    ),
    "infinite in the label": ("bikes", NEXT.with_columns(at_row(3, "rides", -INF)), f"column 'rides', row 4: {FINITE}"),
    "infinite in a sequence": ("turns", changed(COURSE, (0, 2, 1), INF), f"column 'course', row 1: {FINITE}"),
    "NaN in a sequence": ("turns", changed(COURSE, (0, 2, 1), NAN), "column 'course', row 1: must be not missing"),
    "a short sequence": ("turns", COURSE[:, :5], "column 'course': 10 elements at row 1"),
    "a wide sequence": ("turns", np.ones((1, 6, 3), np.float32), "column 'course': 18 elements at row 1"),
    "an empty text": ("reviews", PERSON.with_columns(review=pl.lit("")), 1),
    "10 MB of text": ("reviews", PERSON.with_columns(review=pl.lit(TEN_MB)), 1),
    "an unknown string": ("reviews", PERSON.with_columns(plan=pl.lit("never seen")), 1),
    "a missing number": ("reviews", PERSON.with_columns(age=pl.lit(None, pl.Float64)), 1),
    "an infinite number": ("reviews", PERSON.with_columns(age=INF), f"column 'age', row 1 (got inf): {FINITE}"),
    "text for a number": ("reviews", PERSON.with_columns(age=pl.lit("old")), "a text that is not a number: 'old'"),
    "infinite for anomalies": ("parts", PARTS.with_columns(m1=INF), f"column 'm1', row 1 (got inf): {FINITE}"),
    "infinite for clusters": ("groups", PARTS.with_columns(m1=-INF), f"column 'm1', row 1 (got -inf): {FINITE}"),
}
"""A file for ``predict``, and the rows of its answer or what the refusal says."""


@pytest.mark.parametrize("kind", ASKED)
def test_predict_answers_or_refuses_by_name(project, tmp_path, monkeypatch, capsys, kind) -> None:
    _into(monkeypatch, project)
    name, given, wanted = ASKED[kind]
    file = tmp_path / ("asked.npz" if isinstance(given, np.ndarray) else "asked.csv")
    np.savez(file, course=given) if isinstance(given, np.ndarray) else given.write_csv(file)
    code = main(["predict", name, str(file), "--output", str(tmp_path / "out.csv")])
    told = capsys.readouterr().err
    if isinstance(wanted, str):
        assert code != 0 and wanted in told and "wanted:" in told and "to do:" in told
        assert not (tmp_path / "out.csv").exists()
        return
    answers = pl.read_csv(tmp_path / "out.csv")
    assert code == 0 and answers.height == wanted
    assert all(answers[c].is_finite().all() for c in answers.columns if answers[c].dtype.is_float())


def test_bytes_that_are_no_text_are_refused_by_line(project, tmp_path, monkeypatch, capsys) -> None:
    _into(monkeypatch, project)
    (tmp_path / "asked.csv").write_bytes(b"review,age,plan\ngood \xff film,40,plus\n")
    assert main(["predict", "reviews", str(tmp_path / "asked.csv"), "--output", str(tmp_path / "out.csv")]) != 0
    assert "line 2 holds bytes that are not utf-8" in capsys.readouterr().err


# ---- gRPC and REST


@pytest.fixture(scope="module")
def served(project):
    """Servers of all models without and with the contract check; a client for each way in."""
    paths = {n: Path(read_json(project / f"store/champions/{n}.json")["path"]).parent for n in FILES}
    entries = "".join(
        f'config {{ name: "{n}" base_path: "{p}" model_platform: "tensorflow" }} ' for n, p in paths.items()
    )
    (project / "models.conf").write_text(f"model_config_list {{ {entries}}}")
    clients = {}
    with ExitStack() as stack:
        for check in (False, True):
            flags = [f"--model_config_file={project / 'models.conf'}", f"--contract_check={str(check).lower()}"]
            ports = stack.enter_context(server(*flags))
            for kind, address in (("grpc", "127.0.0.1:{grpc_port}"), ("rest", "http://127.0.0.1:{rest_api_port}")):
                client = Client(address.format(**ports), timeout_seconds=60)
                clients[kind, check] = stack.enter_context(client)
        yield clients


SHAPE = "must have the shape [n, {}] (got [{}])"
ANSWERED = None
SENT = {
    "NaN in a window": ("bikes", {"rides": changed(RIDES, (0, slice(3, 9)), NAN)}, ANSWERED, ANSWERED),
    "a window without a value": ("bikes", {"rides": RIDES * NAN}, ANSWERED, ANSWERED),
    "infinite in a window": ("bikes", {"rides": changed(RIDES, (0, 5), INF)}, ANSWERED, FINITE),
    "infinite in what is known": ("bikes", {"temp": changed(TEMP, (0, 170), -INF)}, ANSWERED, FINITE),
    "the largest number in a window": ("bikes", {"rides": changed(RIDES, (0, 5), 3e38)}, ANSWERED, ANSWERED),
    "no moment": ("bikes", {"hour": np.array([-(2**63)], np.int64)}, ANSWERED, "must be present"),
    "a short window": ("bikes", {"rides": RIDES[:, 1:]}, "[1,167]", SHAPE.format("168", "1, 167")),
    "a long horizon": ("bikes", {"temp": np.full((1, 180), 10, np.float32)}, "[1,180]", SHAPE.format("174", "1, 180")),
    "infinite in a sequence": ("turns", {"course": changed(COURSE, (0, 2, 1), INF)}, ANSWERED, FINITE),
    "NaN in a sequence": ("turns", {"course": changed(COURSE, (0, 2, 1), NAN)}, ANSWERED, "must be present"),
    "a sequence without a step": ("turns", {"course": COURSE * NAN}, ANSWERED, "must be present"),
    "a short sequence": ("turns", {"course": COURSE[:, :5]}, "[1,5,2]", SHAPE.format("6, 2", "1, 5, 2")),
    "a wide sequence": (
        "turns",
        {"course": np.ones((1, 6, 3), np.float32)},
        "[1,6,3]",
        SHAPE.format("6, 2", "1, 6, 3"),
    ),
    "an empty text": ("reviews", {"review": texts("")}, ANSWERED, ANSWERED),
    "10 MB of text": ("reviews", {"review": texts(TEN_MB)}, ANSWERED, ANSWERED),
    "an unknown string": ("reviews", {"plan": texts("never seen")}, ANSWERED, ANSWERED),
    "a missing number": ("reviews", {"age": NAN * ONE}, ANSWERED, ANSWERED),
    "an infinite number": ("reviews", {"age": -INF * ONE}, ANSWERED, FINITE),
    "infinite for anomalies": ("parts", {"m1": INF * ONE}, ANSWERED, FINITE),
    "infinite for clusters": ("groups", {"m1": -INF * ONE}, ANSWERED, FINITE),
}
"""What is changed in a request, and what the refusal says without and with the contract check."""


@pytest.mark.parametrize("kind", SENT)
@pytest.mark.parametrize("check", [False, True], ids=["plain", "checked"])
@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_a_server_answers_or_refuses_by_name(served, way, check, kind) -> None:
    name, change, *said = SENT[kind]
    if said[check] is None:
        outputs = served[way, check].predict(name, {**GOOD[name], **change}).outputs
        numbers = {n: v for n, v in outputs.items() if np.asarray(v).dtype.kind == "f"}
        assert numbers and all(np.isfinite(v).all() for v in numbers.values())
        return
    with pytest.raises(RequestInvalid) as raised:
        served[way, check].predict(name, {**GOOD[name], **change})
    [changed_one] = change
    assert said[check] in str(raised.value) and changed_one in str(raised.value)


def test_an_infinite_number_has_the_answer_of_a_missing_one(served) -> None:
    for name, given in {"turns": "course", "reviews": "age", "parts": "m1", "groups": "m1", "bikes": "rides"}.items():
        good = GOOD[name]
        first = (0,) * good[given].ndim
        one, other = (
            served["grpc", False].predict(name, {**good, given: changed(good[given], first, value)}).outputs
            for value in (INF, NAN)
        )
        for output, values in one.items():
            np.testing.assert_array_equal(values, other[output], err_msg=f"{name} {output}")


def test_what_is_not_known_has_a_wide_interval(served) -> None:
    client, good = served["grpc", False], GOOD["bikes"]
    found = client.predict("bikes", {**good, "rides": RIDES * NAN}).outputs
    labels = hours()["rides"]
    spread = labels.quantile(0.9) - labels.quantile(0.1)
    np.testing.assert_allclose(found["high"] - found["low"], spread, rtol=0.15)
    assert (client.predict("bikes", good).outputs["low"] < client.predict("bikes", good).outputs["high"]).all()

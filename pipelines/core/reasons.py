"""Why a run went wrong or published nothing, in words for an alert or a note; read from what its steps left."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kilnworks.components.reporting.reading import read_object
from kilnworks.components.reporting.summary import result_line, run_summary
from kilnworks.pipelines.core.approval import FOLDER
from kilnworks.pipelines.core.execute import artifact_path
from kilnworks.pipelines.core.promotion import UNASKED
from kilnworks.pipelines.core.store import Run

DETAILS = 3
"""Most further lines of an error that are told: broken rules with column and rows, files, sides of a contradiction."""
SHOWN = 5
"""Most new files that are named."""
LONGEST = 600
"""Most characters of a reason."""


def failures(run: Run, steps: Iterable[str]) -> list[str]:
    """The reasons of those of the steps that failed, each in one line."""
    outcomes = (run.outcome(step) or {} for step in steps)
    return [in_one_line(str(o["reason"])) for o in outcomes if o.get("outcome") == "failed" and o.get("reason")]


def closed_gates(run: Run, steps: Iterable[str]) -> list[str]:
    """First lines of the records of the gates that closed in the steps; not those of a mere trial."""
    records = [read_object(artifact_path(run, step) / "decision.json") for step in steps]
    closed = [record for record in records if record.get("passed") is False]
    return [str(record.get("headline", "")) for record in closed if record.get("gate") not in UNASKED]


def rejections(run: Run, steps: Iterable[str]) -> list[str]:
    """Who rejected which of the steps, when asked, and with which comment; a line each."""
    answers = [read_object(run.path / FOLDER / f"{step}.json") for step in steps]
    return [str(given.get("headline", "")) for given in answers if given.get("passed") is False]


def blamed(files: Sequence[Mapping[str, Any]]) -> str:
    """Which files of a retraining are bad by themselves; where none is, those that are new in it.

    Args:
        files: as ``run.json`` names them, see ``arrivals.landed``.

    >>> blamed([{"name": "a.csv", "kind": "base"}, {"name": "b.csv", "kind": "new"}])
    '; new files: b.csv'
    """
    bad = "".join(f"; in {file['name']}: {file['bad']}" for file in files if file.get("bad"))
    new = [str(file["name"]) for file in files if file.get("kind") == "new"]
    more = f" and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
    return bad or (f"; new files: {', '.join(new[:SHOWN])}{more}" if new else "")


def result(run: Run) -> str:
    """What a run came to in one line: verdict, version, metrics; empty where it has neither metrics nor a version."""
    return result_line(run_summary(run.path))


def in_one_line(reason: str) -> str:
    r"""The first line of an error and the next few, which say what is meant; how many more there are.

    >>> in_one_line("2 rules broken:\n    age: 3 of 9 rows\n    sex: 1 of 9 rows")
    '2 rules broken: age: 3 of 9 rows; sex: 1 of 9 rows'
    """
    first, *rest = [line.strip() for line in reason.splitlines() if line.strip()] or [""]
    more = [f"... and {len(rest) - DETAILS} more"] if len(rest) > DETAILS else []
    told = "; ".join([*rest[:DETAILS], *more])
    text = f"{first} {told}" if first.endswith(":") and told else "; ".join(filter(None, [first, told]))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."

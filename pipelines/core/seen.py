"""Whether the champion may have learned from the rows that a new model is measured on.

Where both were made of the same split of rows, a test row of one is none of the other's training: that is so for the
same artifact, and for a split by hash of the same key, salt, shares and copies, whatever rows have come since.
"""

from typing import Any

from kilnworks.pipelines.core.inputs import origin_of
from kilnworks.pipelines.core.step import Step
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.saved_contract import read_saved

LEARNED = ("train", "val")
"""Splits that a model is made with."""


def may_have_seen(evaluation: Step, run: Run, theirs: Run, split: str) -> str:
    """Why the champion may have learned from the rows of an evaluation, as a clause; empty where it has not.

    Args:
        evaluation: the step whose rows they are.
        run: of the new model.
        theirs: the run of the champion.
        split: of the rows.
    """
    if split in LEARNED:
        return f"the rows are those of {split}, which a model learns from"
    new, old = (_source_of_rows(evaluation, one) for one in (run, theirs))
    if new is None or old is None:
        return "what the champion learned from is no longer known"
    manifests = [holder.manifest(step) or {} for holder, step in (new, old)]
    if manifests[0].get("fingerprint") == manifests[1].get("fingerprint"):
        return ""
    plans = [_plan(manifest) for manifest in manifests]
    if plans[0] is None or plans[1] is None:
        return "" if plans == [None, None] and manifests[0].get("config") == manifests[1].get("config") else UNKNOWN
    differs = [name for name in {**plans[0], **plans[1]} if plans[0].get(name) != plans[1].get(name)]
    if differs:
        return f"{MAY} a split with {' and '.join(_other(name) for name in sorted(differs))}"
    if plans[0]["kind"] == "time" and plans[0]["test_from"] is None:
        rows, learned = (Examples(holder.load(step, Examples).path) for holder, step in (new, old))
        return _by_time(rows, learned, str(plans[0]["column"]), split)
    return ""


def _other(name: str) -> str:
    return {"shares": "other shares", "copies": "copies that go another way"}.get(name, f"another {name}")


MAY = "the champion may have learned from these rows, by"
UNKNOWN = "how the rows were split is not known, and the champion may have learned from these"


def _source_of_rows(evaluation: Step, run: Run) -> tuple[Run, str] | None:
    """The step that cut the rows of an evaluation into splits, and the run that holds it."""
    kinds = evaluation.signature.inputs
    sources = [s for p, s in evaluation.inputs.items() if issubclass(kinds[p], Examples)]
    try:
        found = origin_of(sources[0], run) if sources else None
    except LookupError:
        return None
    while found is not None:
        holder, name = found
        manifest = holder.manifest(name)
        if manifest is None:
            return None
        above = [(_holder(run, origin), origin["step"]) for origin in manifest["inputs"].values()]
        rows = [(r, s) for r, s in above if (r.manifest(s) or {}).get("kind") in ("Examples", "CheckedExamples")]
        if not rows:
            return found
        found = rows[0]
    return None


def _holder(run: Run, origin: dict[str, Any]) -> Run:
    """The run that an input came from; where that was pruned, the one that took its artifact from the cache."""
    made = run.store.run(origin["pipeline"], origin["run_id"])
    return run if made.manifest(origin["step"]) is None else made


def _plan(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """How rows find their split: the settings, and the columns that are hashed; None where that is not known."""
    from kilnworks.components.sources.splitting.assign import hash_columns

    config = manifest.get("config") or {}
    split, contract = config.get("split"), config.get("contract")
    if not isinstance(split, dict) or not isinstance(contract, dict):
        return None
    read, _ = read_saved(contract)
    if split["kind"] == "time":
        return {**split, "column": split["column"] or read.time}
    known = split["key"] is None or split["key"] in read.columns  # else it is one that the source alone has
    split = {"copies": "together", **split}  # runs of before there was a choice
    return {**split, "key": hash_columns(split["key"], read) if known else (split["key"],)}


def _by_time(mine: Examples, other: Examples, column: str, split: str) -> str:
    """A split by shares of time: fine where the rows begin after those that the champion learned from."""
    import polars as pl

    learned = [file for name in LEARNED if name in other.splits for file in other.files(name)]
    first = pl.scan_parquet(mine.files(split), glob=False).select(pl.col(column).min()).collect().item()
    last = pl.scan_parquet(learned, glob=False).select(pl.col(column).max()).collect().item()
    if first is None or last is None or first > last:
        return ""
    return f"{MAY} the time: they begin {first}, and what it learned from ends {last}"

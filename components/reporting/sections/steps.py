"""The steps of a run: the graph of what was handed on, and a line for each."""

import json
from typing import Any

from kilnworks.components.charts.lineage import Node, lineage
from kilnworks.components.charts.scale import bytes_text, label, seconds_text
from kilnworks.components.reporting.reading import RunRecord, StepRecord
from kilnworks.components.reporting.sections.overview import progress
from kilnworks.schemas.json_values import as_dict, as_number

SKETCH = "sketch"
"""Setting with the statistics of a contract, see ``kilnworks.schemas.reference``."""


def steps(run: RunRecord) -> dict[str, Any]:
    """The graph, the table, and the settings of each step."""
    nodes = [Node(s.name, s.outcome, _lines(s), s.reason) for s in run.steps]
    edges = [(source, s.name, s.assumed) for s in run.steps for source in s.sources.values()]
    return {"graph": lineage(nodes, edges) if nodes else "", "rows": [_row(s) for s in run.steps]}


def _lines(step: StepRecord) -> tuple[str, str]:
    if step.outcome in ("done", "failed") and step.seconds is not None:
        first = f"{step.outcome} · {seconds_text(step.seconds)}"
    else:
        first = step.outcome
    return first, step.fingerprint[:12]


def _row(step: StepRecord) -> dict[str, Any]:
    manifest = step.manifest
    cpu, memory = as_number(manifest.get("cpu_seconds")), as_number(manifest.get("peak_memory_mb"))
    sizes = [as_number(as_dict(f).get("size")) or 0 for f in as_dict(manifest.get("files")).values()]
    made = as_number(manifest.get("seconds"))
    cached = step.outcome == "cached"
    return {
        "name": step.name,
        "outcome": step.outcome,
        "component": step.component,
        "seconds": seconds_text(step.seconds) if step.seconds is not None else "",
        "cpu": seconds_text(cpu) if cpu is not None else "",
        "made_in": f"made in {seconds_text(made)}" if cached and made is not None else "",
        "memory": f"{label(round(memory))} MB" if memory is not None else "",
        "size": f"{bytes_text(sum(sizes))} in {len(sizes)} {'file' if len(sizes) == 1 else 'files'}" if sizes else "",
        "fingerprint": step.fingerprint,
        "kind": str(manifest.get("kind") or ""),
        "inputs": _inputs(step),
        "reason": step.reason if step.outcome != "running" else "",
        "progress": progress(step),
        "config": json.dumps(for_people(manifest.get("config")), indent=2, default=str)
        if manifest.get("config")
        else "",
    }


def _inputs(step: StepRecord) -> list[dict[str, str]]:
    found = []
    for parameter, source in as_dict(step.manifest.get("inputs")).items():
        origin = as_dict(source)
        foreign = (origin.get("pipeline"), origin.get("run_id")) != (
            step.manifest.get("pipeline"),
            step.manifest.get("run_id"),
        )
        where = (
            f"{origin.get('pipeline', '')}/{origin.get('run_id', '')}/" if foreign and origin.get("pipeline") else ""
        )
        found.append(
            {
                "parameter": str(parameter),
                "step": f"{where}{origin.get('step', '')}",
                "fingerprint": str(origin.get("fingerprint", ""))[:12],
            }
        )
    return found


def for_people(config: Any) -> Any:
    """Settings without the statistics of a contract, which only programs read."""
    if isinstance(config, dict):
        return {name: "..." if name == SKETCH and value else for_people(value) for name, value in config.items()}
    return [for_people(one) for one in config] if isinstance(config, list) else config

"""What a client can ask of the exported model, and where it was published."""

from collections.abc import Iterator
from typing import Any

from kilnworks.components.charts.scale import bytes_text, label
from kilnworks.components.reporting.reading import RunRecord, read_moves
from kilnworks.components.reporting.summary import is_champion
from kilnworks.schemas.json_values import as_dict, as_list, as_number


def serving(run: RunRecord) -> dict[str, Any] | None:
    """Signatures, size, skew check and deployment; None before a model was exported."""
    servable, deployment = run.find("servable.json"), run.find("deployment.json")
    if not servable and not deployment:
        return None
    signatures = sorted(as_dict(servable.get("signatures")).items(), key=lambda s: s[0] != "serving_default")
    return {
        "signatures": [_signature(str(n), s) for n, s in signatures],
        "facts": [*_size(servable), *_skew(as_dict(servable.get("skew"))), *_deployment(run, deployment)],
    }


def _signature(name: str, given: Any) -> dict[str, Any]:
    signature = as_dict(given)
    return {
        "name": name,
        "method": str(signature.get("method") or signature.get("method_name") or ""),
        "inputs": _tensors(signature.get("inputs")),
        "outputs": _tensors(signature.get("outputs")),
    }


def _tensors(given: Any) -> list[dict[str, str]]:
    """Name, dtype and shape of tensors given as a mapping or as a list."""
    if isinstance(given, list):
        pairs = [(str(as_dict(t).get("name", t)), t) for t in given]
    else:
        pairs = [(str(n), t) for n, t in as_dict(given).items()]
    return [{"name": n, **_tensor(t)} for n, t in pairs]


def _tensor(given: Any) -> dict[str, str]:
    if isinstance(given, list):
        return {"dtype": str(given[0]) if given else "", "shape": _shape(given[1]) if len(given) > 1 else ""}
    if not isinstance(given, dict):
        return {"dtype": str(given), "shape": ""}
    shape, unit = _shape(given.get("shape")), str(given.get("unit") or "")
    return {"dtype": str(given.get("dtype", "")).lower().removeprefix("dt_"), "shape": shape, "unit": unit}


def _shape(given: Any) -> str:
    if not isinstance(given, list):
        return "" if given is None else str(given)
    return "[" + ", ".join("n" if d in (None, -1) else str(d) for d in given) + "]"


def _size(servable: dict[str, Any]) -> list[tuple[str, str]]:
    size = as_number(servable.get("bytes"))
    return [("Size", bytes_text(size))] if size is not None else []


def _skew(skew: dict[str, Any]) -> list[tuple[str, str]]:
    rows, difference = as_number(skew.get("rows")), as_number(skew.get("max_difference"))
    if rows is None or difference is None:
        return []
    return [("Skew check", f"largest difference {label(difference)} on {rows:,.0f} rows")]


def _deployment(run: RunRecord, deployment: dict[str, Any]) -> list[tuple[str, str]]:
    if not deployment:
        return []
    state = "champion" if is_champion(run) else "no longer the champion"
    facts = [
        ("Published as", f"{deployment.get('model', '')} version {deployment.get('version', '')} ({state})"),
        ("Path", str(deployment.get("path", ""))),
    ]
    servers = [s for s in as_list(deployment.get("servers")) or [deployment.get("server")] if s]
    return [*facts, *(("Server", str(s)) for s in servers), *_moves(run)]


def _moves(run: RunRecord) -> Iterator[tuple[str, str]]:
    """Each time that the model of the run went live or gave way to another: when, by what, who decided and why."""
    pipeline, mine = str(run.run.get("pipeline") or run.path.parent.name), run.run.get("run_id") or run.path.name
    for move in reversed([*read_moves(run.path.parents[2], pipeline)]):
        which = f"version {move['version']}"
        decided = f"{move['action']} by {move['by']}: {move['reason']} ({move['since']})"
        if move["run_id"] == mine:
            yield "Went live", f"as {which}; {decided}"
        elif as_dict(move.get("previous")).get("run_id") == mine:
            yield "Gave way", f"to {which} of run {move['run_id']}; {decided}"

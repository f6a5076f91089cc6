"""The skew check: a SavedModel, loaded from disk as a server loads it, against the predictions of the trained model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kilnworks.components.exporting.signatures import CLASSIFY, EXAMPLES, PREDICT, REGRESS
from kilnworks.components.exporting.tf_example import serialize
from kilnworks.components.serving.loading.saved_model import LoadedModel, load_saved_model
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import SkewDetected

Array = np.ndarray
BATCH_ROWS = 256
TIMES = 4
"""Answers may differ by this many times what the least change of the inputs does to them; sums in another order do as
much to a model that is sensitive, as one that tells columns apart which are nearly alike."""
MOST = 100
"""Times the tolerance that no rounding excuses."""
LARGEST = float(np.sqrt(np.finfo(np.float32).max))
"""Numbers beyond this, about 1.8e19, overflow when a layer squares or adds them."""


@dataclass
class Skew:
    """What the check found.

    Attributes:
        rows: rows compared, in every signature.
        max_difference: largest difference of any output, relative to the expected value where that is above 1.
        signatures: the same for each signature.
        tolerance: what it was held against: the one that was asked, or more where rounding alone does more.
    """

    rows: int
    tolerance: float
    max_difference: float = 0.0
    signatures: dict[str, float] = field(default_factory=dict)


def check_skew(
    saved_model: Path,
    task: Task,
    contract: Contract,
    raw: Mapping[str, Array],
    output: Array,
    tolerance: float,
    may_be_nan: Array | None = None,
    rounding: Callable[[], float] | None = None,
) -> Skew:
    """Run every signature on all rows and compare.

    Args:
        saved_model: directory of the SavedModel; loaded into a new graph and session.
        task: of the model; its own ``answers`` says what must come back.
        contract: of what is served.
        raw: the rows as a client sends them, arrays by feature name.
        output: of the trained model on these rows, as its head gives it, ``[n, K]``.
        tolerance: largest difference, absolute up to 1 and relative above.
        may_be_nan: rows whose answer need not be a finite number, [n]; by default none.
        rounding: see ``rounding_of``; asked where answers differ by more than the tolerance.

    Raises:
        SkewDetected: an answer differs by more, names another class, or is not finite.
    """
    wanted = expected_answers(task, output)
    _refuse_not_finite(wanted, may_be_nan)
    skew = Skew(len(output), tolerance)

    def allowed(worst: float) -> float:
        if worst > skew.tolerance == tolerance and rounding is not None:
            skew.tolerance = max(tolerance, min(TIMES * rounding(), MOST * tolerance))
        return skew.tolerance

    model = load_saved_model(str(saved_model))
    try:
        examples = np.array(serialize(contract, raw), dtype=object)
        for name, right in _by_signature(task, wanted).items():
            feeds = raw if name == PREDICT else {_only_input(model, name): examples}
            answers = _run(model, name, feeds, skew.rows)
            differences = [_compare(task, name, o, a, right, allowed) for o, a in answers.items()]
            skew.signatures[name] = max(differences)
    finally:
        model.close()
    skew.max_difference = max(skew.signatures.values())
    return skew


def expected_answers(task: Task, output: Array) -> dict[str, Array]:
    """What the server must answer, by the same function as in the served graph, run operation by operation."""
    import tensorflow as tf

    return {name: value.numpy() for name, value in task.answers(tf.constant(output)).items()}


def rounding_of(
    task: Task, run: Callable[[dict[str, Array]], Array], encoded: Mapping[str, Array], output: Array
) -> float:
    """The largest change of the trained model's answers as its inputs change by one unit in the last place, up or down.

    Args:
        task: of the model.
        run: its inference pass, from encoded tensors to outputs [n, K].
        encoded: the rows, [n, ...] by name; only float32 changes.
        output: of these rows, [n, K].
    """
    wanted, largest = expected_answers(task, output), 0.0
    for way in (np.float32(np.inf), np.float32(-np.inf)):
        near = {name: np.nextafter(a, way) if a.dtype == np.float32 else a for name, a in encoded.items()}
        for name, answer in expected_answers(task, run(near)).items():
            difference = task.difference(name, answer, wanted)
            largest = max(largest, float(difference[np.isfinite(difference)].max(initial=0.0)))
    return largest


def beyond_float32(raw: Mapping[str, Array]) -> Array:
    """Rows with a number whose square float32 cannot hold, [n]: no layer need have a finite answer to it."""
    rows = len(next(iter(raw.values())))
    beyond = np.zeros(rows, bool)
    for values in raw.values():
        if values.dtype.kind == "f":
            beyond |= (np.abs(values) > LARGEST).reshape(rows, -1).any(axis=1)
    return beyond


def _by_signature(task: Task, wanted: Mapping[str, Array]) -> dict[str, Mapping[str, Array]]:
    """The outputs of each signature."""
    found: dict[str, Mapping[str, Array]] = {PREDICT: wanted, EXAMPLES: wanted}
    rows = len(next(iter(wanted.values())))
    for method, answer in task.methods.items():
        if method == "regress":
            found[REGRESS] = {"outputs": wanted[answer]}
            continue
        classes = np.array([text.encode() for text in task.class_texts], dtype=object)
        found[CLASSIFY] = {"classes": np.tile(classes, (rows, 1)), "scores": wanted[answer]}
    return found


def _refuse_not_finite(wanted: Mapping[str, Array], allowed: Array | None) -> None:
    """Raise where the trained model itself answers NaN or infinity and has no excuse."""
    for name, values in wanted.items():
        if values.dtype.kind != "f":
            continue
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if allowed is not None:
            bad &= ~allowed
        if bad.any():
            row = int(np.argmax(bad))
            raise SkewDetected(
                f"output {name!r}, row {row}: the trained model answers {_text(values[row])}",
                "a finite number for every row that the contract allows, also where values are missing or unseen",
                "look for a division or a logarithm that such a row breaks, such as a mean over no step of a sequence",
                {"output": name, "row": row, "trained": _text(values[row])},
            )


def _only_input(model: LoadedModel, signature: str) -> str:
    (alias,) = model.signature_defs[signature].inputs
    return str(alias)


def _run(model: LoadedModel, signature: str, feeds: Mapping[str, Array], rows: int) -> dict[str, Array]:
    """All rows through one signature, in batches."""
    definition = model.signature_defs[signature]
    fetches = {alias: info.name for alias, info in sorted(definition.outputs.items())}
    parts = [
        model.session.run(fetches, {definition.inputs[alias].name: v[rows_] for alias, v in feeds.items()})
        for rows_ in _slices(rows)
    ]
    return {alias: np.concatenate([part[alias] for part in parts]) for alias in fetches}


def _slices(rows: int) -> Iterator[slice]:
    return (slice(i, i + BATCH_ROWS) for i in range(0, rows, BATCH_ROWS))


def _compare(
    task: Task, signature: str, output: str, got: Array, wanted: Mapping[str, Array], allowed: Callable[[float], float]
) -> float:
    """Largest difference of one output."""
    difference = task.difference(output, got, wanted)
    worst = float(difference.max(initial=0.0))
    tolerance = allowed(worst)
    if not worst <= tolerance:
        row = int(np.argmax(difference))
        _fail(signature, output, row, got[row], wanted[output][row], worst, tolerance)
    return worst if wanted[output].dtype.kind == "f" else 0.0


def _fail(signature: str, output: str, row: int, got: Any, wanted: Any, worst: float, tolerance: float) -> None:
    got_text, wanted_text = _text(got), _text(wanted)
    raise SkewDetected(
        f"output {output!r} of signature {signature!r}, row {row}: the exported model answers {got_text}, "
        f"the trained one {wanted_text} (largest difference {worst:.3g})",
        f"the same answer within {tolerance:g}",
        "do not serve this model; look for a layer that behaves differently once saved, or for a lower precision "
        "(then raise the tolerance of the export step knowingly)",
        {"signature": signature, "output": output, "row": row, "exported": got_text, "trained": wanted_text,
         "max_difference": str(worst), "tolerance": tolerance},
    )  # fmt: skip


def _text(value: Any) -> str:
    array = np.asarray(value.decode() if isinstance(value, bytes) else value)
    return np.array2string(array, precision=8, threshold=8) if array.ndim else str(value)

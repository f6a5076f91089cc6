"""The skew check: a SavedModel, loaded from disk as a server loads it, against the predictions of the trained model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components.exporting.signatures import CLASSIFY, EXAMPLES, PREDICT, REGRESS
from components.exporting.tf_example import serialize
from components.serving.saved_model import LoadedModel, load_saved_model
from schemas.contract import Contract
from schemas.errors import SkewDetected

Array = np.ndarray
BATCH_ROWS = 256


@dataclass
class Skew:
    """What the check found.

    Attributes:
        rows: rows compared, in every signature.
        max_difference: largest difference of any output, relative to the expected value where that is above 1.
        signatures: the same for each signature.
    """

    rows: int
    max_difference: float = 0.0
    signatures: dict[str, float] = field(default_factory=dict)


def check_skew(
    saved_model: Path, contract: Contract, raw: Mapping[str, Array], predictions: Array, tolerance: float
) -> Skew:
    """Run every signature on all rows and compare.

    Args:
        saved_model: directory of the SavedModel; loaded into a new graph and session.
        contract: of the model.
        raw: the rows as a client sends them, arrays by feature name.
        predictions: of the trained model on these rows: probabilities ``[n, K]`` or values ``[n]``.
        tolerance: largest difference, absolute up to 1 and relative above.

    Raises:
        SkewDetected: an output differs by more, or a class is not the most probable one.
    """
    expected = expected_outputs(contract, predictions)
    wanted: dict[str, Mapping[str, Array]] = {PREDICT: expected, EXAMPLES: expected}
    if contract.task != "regression":
        wanted[CLASSIFY] = {"scores": predictions}
    if contract.task != "multiclass":
        wanted[REGRESS] = {"outputs": expected["score"]}
    skew = Skew(rows=len(predictions))
    model = load_saved_model(str(saved_model))
    try:
        examples = np.array(serialize(contract, raw), dtype=object)
        for name, answer_wanted in wanted.items():
            feeds = raw if name == PREDICT else {_only_input(model, name): examples}
            answers = _run(model, name, feeds, skew.rows)
            differences = [_compare(name, o, a, answer_wanted, contract, tolerance) for o, a in answers.items()]
            skew.signatures[name] = max(differences)
    finally:
        model.close()
    skew.max_difference = max(skew.signatures.values())
    return skew


def expected_outputs(contract: Contract, predictions: Array) -> dict[str, Array]:
    """The served numbers that follow from predictions: ``probabilities`` and ``score``, or ``score`` alone."""
    if contract.task == "regression":
        return {"score": predictions.reshape(-1)}
    score = predictions[:, 1] if contract.task == "binary" else predictions.max(axis=1)
    return {"probabilities": predictions, "score": score}


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
    signature: str, output: str, got: Array, wanted: Mapping[str, Array], contract: Contract, tolerance: float
) -> float:
    """Largest difference of one output; texts are compared with the class that the prediction names."""
    if output == "class":
        _compare_classes(signature, got, wanted["probabilities"], contract, tolerance)
        return 0.0
    if output == "classes":
        return 0.0 if _all_classes(got, contract) else _fail(signature, output, 0, got[0], _labels(contract), 1.0)
    difference = _difference(got, wanted[output])
    worst = float(difference.max(initial=0.0))
    if not worst <= tolerance:
        row = int(np.argmax(difference))
        _fail(signature, output, row, got[row], wanted[output][row], worst, tolerance)
    return worst


def _difference(got: Array, wanted: Array) -> Array:
    """Per row: the largest difference of any value, infinite where only one side is finite or shapes differ.

    Where the trained model answers NaN or infinity too, as low precision does far outside the training range, that is
    no skew.
    """
    if got.shape != wanted.shape:
        return np.full(max(len(wanted), 1), np.inf)
    wide = wanted.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.abs(got - wide) / np.maximum(1.0, np.abs(wide))
    same = (got == wide) | (np.isnan(got) & np.isnan(wide))
    difference = np.where(np.isfinite(difference), difference, np.inf)
    return np.where(same, 0.0, difference).reshape(len(wanted), -1).max(axis=1)


def _labels(contract: Contract) -> Array:
    assert contract.label is not None and contract.label.classes is not None
    return np.array([str(c) for c in contract.label.classes], dtype=object)


def _all_classes(got: Array, contract: Contract) -> bool:
    return bool((np.vectorize(bytes.decode, otypes=[object])(got) == _labels(contract)).all())


def _compare_classes(signature: str, got: Array, probabilities: Array, contract: Contract, tolerance: float) -> None:
    """Every answered class has the highest probability, up to the tolerance."""
    index = {label: i for i, label in enumerate(_labels(contract))}
    answered = np.array([index.get(text.decode(), -1) for text in got])
    gap = np.where(answered < 0, np.inf, probabilities.max(axis=1) - probabilities[np.arange(len(got)), answered])
    if (gap > 2 * tolerance).any():
        row = int(np.argmax(gap))
        best = _labels(contract)[int(probabilities[row].argmax())]
        _fail(signature, "class", row, got[row].decode(), best, float(gap[row]), tolerance)


def _fail(signature: str, output: str, row: int, got: Any, wanted: Any, worst: float, tolerance: float = 0.0) -> float:
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
    array = np.asarray(value)
    return np.array2string(array, precision=8, threshold=8) if array.ndim else str(value)

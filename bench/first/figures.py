"""Figures of ``bench.first_model``: one JSON line for each set and seed, and the table that is made of them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

RESAMPLES = 400
"""Bootstrap samples of the rows that judge."""
OTHERS = ("boosting", "linear")


@dataclass(frozen=True)
class Line:
    """One set and seed.

    Attributes:
        set: its name.
        seed: of the split of rows, and of the training.
        rows: that the split had together.
        measure: what is measured; more is better, but for ``RMSE``.
        values: the measure by model: ``ours``, ``boosting`` and ``linear``.
        low: by other model, 2.5 % quantile of ours minus it in paired bootstrap samples of the rows that judge.
        high: by other model, the 97.5 % quantile.
        loss: logarithmic loss by model and of the class shares, ``shares``; empty for numbers.
        wall: seconds that ``new`` and ``run`` took together.
        processor: processor seconds that they took.
        commit: what was measured.
        recall: by model, the recall of the class that it finds least of, 0 to 1; of images, else empty.
    """

    set: str
    seed: int
    rows: int
    measure: str
    values: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    loss: dict[str, float]
    wall: float
    processor: float
    commit: str
    recall: dict[str, float] = field(default_factory=dict)


def kept(file: Path) -> list[Line]:
    """The lines that are there; one that was cut short by a kill is no line."""
    if not file.is_file():
        return []
    whole = [text for text in file.read_text().splitlines(keepends=True) if text.endswith("\n")]
    return [Line(**json.loads(text)) for text in whole]


def keep(line: Line, file: Path) -> None:
    """Append a line, behind what a kill may have left of another."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(asdict(one)) + "\n" for one in (*kept(file), line))
    scratch = file.with_suffix(".part")
    scratch.write_text(lines)
    scratch.replace(file)


def table(lines: Sequence[Line]) -> Iterator[str]:
    """A Markdown table, one row for each set, of nothing but what was measured."""
    names = "set | rows | seeds | measure | ours | boosting | linear | ours - better of both (95 %)"
    yield f"| {names} | log loss; lowest recall of a class | CPU s |"
    yield f"|{'---|' * 10}"
    for name in dict.fromkeys(line.set for line in lines):
        of_set = [line for line in lines if line.set == name]
        values = {model: np.mean([line.values[model] for line in of_set]) for model in of_set[0].values}
        best = max(values, key=lambda model: values[model] * sign(of_set[0].measure))
        means = (f"**{value:.4f}**" if model == best else f"{value:.4f}" for model, value in values.items())
        beside = [_means([line.loss for line in of_set]), _means([line.recall for line in of_set])]
        cells = [
            name,
            f"{of_set[0].rows:,}",
            str(len(of_set)),
            of_set[0].measure,
            *means,
            _gain(of_set, values),
            "; recall ".join(text for text in beside if text),
            f"{np.mean([line.processor for line in of_set]):.0f}",
        ]
        yield f"| {' | '.join(cells)} |"


def sign(measure: str) -> int:
    """1 where more is better, -1 where less is."""
    return -1 if measure.startswith("RMSE") else 1


def _means(values: Sequence[dict[str, float]]) -> str:
    """The mean of each model over the lines that have it, in words; empty where none has."""
    has = [one for one in values if one]
    return ", ".join(f"{model} {np.mean([one[model] for one in has]):.3f}" for model in (has[0] if has else ()))


def _gain(lines: Sequence[Line], values: dict[str, float]) -> str:
    """Ours minus the better of the others: over the seeds by Student's t, below three over the rows that judge."""
    other = max(OTHERS, key=lambda model: values[model] * sign(lines[0].measure))
    gains = np.array([line.values["ours"] - line.values[other] for line in lines])
    if len(gains) < 3:
        low, high = (float(np.mean([getattr(line, side)[other] for line in lines])) for side in ("low", "high"))
        return f"{gains.mean():+.4f} ({low:+.4f} to {high:+.4f}, rows)"
    from scipy.stats import t

    half = t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    return f"{gains.mean():+.4f} ({gains.mean() - half:+.4f} to {gains.mean() + half:+.4f}, seeds)"


def judged(measure: str, truth: np.ndarray, answers: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """``values``, ``low`` and ``high`` of a line.

    Args:
        measure: a key of ``MEASURES``.
        truth: values, or positions of classes, [N].
        answers: of each model, values [N] or probabilities [N, K].
    """
    score, chance = MEASURES[measure], np.random.default_rng(0)
    values = {model: score(truth, answer) for model, answer in answers.items()}
    gains: dict[str, list[float]] = {other: [] for other in OTHERS}
    for _ in range(RESAMPLES):
        rows = chance.integers(len(truth), size=len(truth))
        if measure != "R²" and not measure.startswith("RMSE") and len(set(truth[rows])) < len(set(truth)):
            continue
        ours = score(truth[rows], answers["ours"][rows])
        for other in OTHERS:
            gains[other].append(ours - score(truth[rows], answers[other][rows]))
    low, high = ({o: float(np.quantile(gains[o], q)) for o in OTHERS} for q in (0.025, 0.975))
    return {"values": values, "low": low, "high": high}


def losses(truth: np.ndarray, answers: dict[str, np.ndarray], shares: np.ndarray) -> dict[str, float]:
    """Logarithmic loss of each model, and of the shares [K] that the classes had among the rows to learn from."""
    every = {**answers, "shares": np.tile(shares, (len(truth), 1))}
    told = {m: np.clip(p[np.arange(len(truth)), truth] / p.sum(axis=1), 1e-7, 1) for m, p in every.items()}
    return {model: float(-np.log(share).mean()) for model, share in told.items()}


def lowest_recall(truth: np.ndarray, answers: dict[str, np.ndarray]) -> dict[str, float]:
    """Of each model the least share of the rows of a class that it finds, 0 to 1; probabilities are [N, K]."""
    from sklearn.metrics import recall_score

    there = np.unique(truth)
    found = {m: recall_score(truth, p.argmax(axis=1), labels=there, average=None) for m, p in answers.items()}
    return {model: float(recall.min()) for model, recall in found.items()}


def _auc(truth: np.ndarray, answer: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, answer[:, 1]))


def _macro_f1(truth: np.ndarray, answer: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, answer.argmax(axis=1), average="macro", zero_division=0))


def _accuracy(truth: np.ndarray, answer: np.ndarray) -> float:
    return float((truth == answer.argmax(axis=1)).mean())


def _r2(truth: np.ndarray, answer: np.ndarray) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(truth, answer))


def _rmse(truth: np.ndarray, answer: np.ndarray) -> float:
    return float(np.sqrt(np.mean((truth - answer) ** 2)))


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "AUC": _auc, "macro F1": _macro_f1, "accuracy": _accuracy, "R²": _r2, "RMSE of log": _rmse,
}  # fmt: skip
"""By name, each of truth [N], and values [N] or probabilities [N, K]; ``RMSE of log`` takes logarithms."""

"""A first model of texts on another domain than it learned from, against TF-IDF with logistic regression.

usage: python -m bench.first.domains [--sets FOLDER] [--kept FILE] [--table] [DOMAIN ...]

Sentences that some people have rated each (Hutto & Gilbert 2014, MIT, in the source package of ``vaderSentiment``): of
film reviews, of reviews of goods, of a newspaper's comments and of tweets. ``good`` is a mean rating of 0.5 and more,
``bad`` one of -0.5 and less; what lies between is left out, and so are copies of a text. Each domain is cut into 80 %
to learn from and 20 % to judge by, whole documents together where a text has several sentences; the others are judged
whole. Of the logistic regression the better one of ``C=1`` and ``C=10`` is taken, chosen on the rows that judge.

    pip download --no-deps --no-binary :all: --dest build/sets vaderSentiment==3.3.2
    python -m bench.first.domains

A domain is one line of FILE (``build/domains.jsonl``) and is not measured again. It takes some minutes.
"""

import argparse
import io
import json
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from bench.first.ours import first_answers
from kilnworks.components.judging.metrics import auc

ROOT = Path(__file__).parents[2]
PACKAGE = "vaderSentiment-3.3.2"
FILES = {
    "films": "movieReviewSnippets",
    "goods": "amazonReviewSnippets",
    "comments": "nytEditorialSnippets",
    "tweets": "tweets",
}
"""Beginning of the file name of each domain."""
RATED = 0.5
"""Distance of a mean rating from 0, on a scale from -4 to 4, from which on it counts."""
JUDGED = 0.2
"""Share of a domain that judges a model of the same one."""
RESAMPLES = 1000
"""Bootstrap samples of the rows that judge."""


@dataclass(frozen=True)
class Line:
    """A model and a domain that judges it.

    Attributes:
        learned: domain it learned from.
        rows: it learned from.
        judged: domain it is judged on.
        judges: rows of it.
        ours: area under the ROC curve of the first model.
        other: the same of the logistic regression.
        low: 2.5 % quantile of ours minus the other one in paired bootstrap samples.
        high: the 97.5 % quantile.
        processor: processor seconds of ``new`` and ``run``.
    """

    learned: str
    rows: int
    judged: str
    judges: int
    ours: float
    other: float
    low: float
    high: float
    processor: float


def main() -> None:
    """Measure the domains that are not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="*", default=list(FILES), help="domains to learn from")
    parser.add_argument("--sets", type=Path, default=ROOT / "build/sets", help="where the source package lies")
    parser.add_argument("--kept", type=Path, default=ROOT / "build/domains.jsonl", help="lines of what is measured")
    parser.add_argument("--table", action="store_true", help="print the table of the lines, measure nothing")
    options = parser.parse_args()
    unknown = [one for one in options.domains if one not in FILES]
    if unknown:
        raise SystemExit(f"no domain {unknown[0]!r}; there are {', '.join(FILES)}")
    lines = kept(options.kept)
    missing = [one for one in options.domains if one not in {line.learned for line in lines}]
    if missing and not options.table:
        frames = read(options.sets / f"{PACKAGE}.tar.gz")
        for domain in missing:
            lines += measured(domain, frames)
            options.kept.parent.mkdir(parents=True, exist_ok=True)
            options.kept.write_text("".join(json.dumps(asdict(line)) + "\n" for line in lines))
    print("\n".join(table(lines)))


def read(package: Path) -> dict[str, pd.DataFrame]:
    """Each domain with ``document``, ``body`` and ``kind``, from the source package."""
    if not package.is_file():
        raise SystemExit(f"no file {package}: run the first command at the top of bench/first/domains.py")
    with tarfile.open(package) as outer:
        inner = outer.extractfile(f"{PACKAGE}/additional_resources/hutto_ICWSM_2014.tar.gz")
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as files:
            texts = {}
            for domain, begins in FILES.items():
                file = files.extractfile(f"hutto_ICWSM_2014/{begins}_GroundTruth.txt")
                assert file is not None
                texts[domain] = rated(file.read().decode("utf-8-sig"))
    return texts


def rated(text: str) -> pd.DataFrame:
    """Lines ``number of the text, mean rating, text`` as ``document``, ``body`` and ``kind``, without copies."""
    cells = pd.DataFrame([line.split("\t") for line in text.splitlines()], columns=["document", "rating", "body"])
    rating = cells["rating"].astype(float)
    found = cells.assign(
        document=cells["document"].str.split("_").str[0],
        body=cells["body"].str.strip(),
        kind=np.where(rating > 0, "good", "bad"),
    )
    found = found[rating.abs() >= RATED].drop_duplicates("body")
    return found[["document", "body", "kind"]].reset_index(drop=True)


def cut(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from and rows to judge by, whole documents together, in random order."""
    random = np.random.default_rng(0)
    documents = random.permutation(frame["document"].unique())
    judging = frame["document"].isin(documents[: round(JUDGED * len(documents))])
    order = random.permutation(np.flatnonzero(~judging))
    return frame.iloc[order], frame[judging]


def measured(domain: str, frames: dict[str, pd.DataFrame]) -> list[Line]:
    """A line for each domain that judges the model of one."""
    train, own = cut(frames[domain])
    judges = {domain: own, **{name: frame for name, frame in frames.items() if name != domain}}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        train[["body", "kind"]].to_csv(project / "train.csv", index=False)
        for name, frame in judges.items():
            frame[["body"]].to_csv(project / f"{name}.csv", index=False)
        files = [f"{name}.csv" for name in judges]
        answers, (_, processor) = first_answers(project, "train.csv", files, ["--label", "kind"], 0)
    others = baselines(train, judges)
    lines = []
    for (name, frame), answer in zip(judges.items(), answers, strict=True):
        truth = (frame["kind"] == "good").to_numpy()
        scores = answer["probability_good"].to_numpy()
        other = max(others[name], key=lambda one: roc_auc_score(truth, one))
        low, high = apart(truth, scores, other)
        figures = (float(roc_auc_score(truth, one)) for one in (scores, other))
        lines.append(Line(domain, len(train), name, len(frame), *figures, low, high, processor))
    return lines


def baselines(train: pd.DataFrame, judges: dict[str, pd.DataFrame]) -> dict[str, list[np.ndarray]]:
    """Probabilities of ``good`` by domain, of logistic regressions on weighed words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    counted = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    x, y = counted.fit_transform(train["body"]), train["kind"] == "good"
    lines = [LogisticRegression(C=strength, max_iter=500).fit(x, y) for strength in (1, 10)]
    return {
        name: [line.predict_proba(counted.transform(frame["body"]))[:, 1] for line in lines]
        for name, frame in judges.items()
    }


def apart(truth: np.ndarray, ours: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """95 % interval of the difference of both areas, by paired bootstrap samples of rows."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(truth), len(truth))
        if 0 < truth[rows].sum() < len(rows):
            found.append(auc(truth[rows], ours[rows]) - auc(truth[rows], other[rows]))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def kept(file: Path) -> list[Line]:
    """The lines that are there."""
    return [Line(**json.loads(text)) for text in file.read_text().splitlines()] if file.is_file() else []


def table(lines: list[Line]) -> list[str]:
    """Markdown."""
    rows = [
        f"| {one.learned} ({one.rows:,}) | {one.judged} ({one.judges:,}) | {one.other:.3f} | {one.ours:.3f} "
        f"| {one.low:+.3f} to {one.high:+.3f} |"
        for one in lines
    ]
    return ["| learned from | judged on | TF-IDF | ours | difference, 95 % |", "|---|---|---|---|---|", *rows]


if __name__ == "__main__":
    main()

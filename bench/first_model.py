"""The first, untuned model of ``kilnworks new`` against gradient boosting and linear models, on rows neither has seen.

usage: python -m bench.first_model [--seeds N] [SET ...] [NAME=FILE:LABEL[:TIME] ...]

Every set is cut into 80 % to learn from and 20 % to judge by (by time where a time column is named, else at random).
Ours sees the first part through ``new`` and ``run`` and answers for the second through ``predict``, in processes of
its own. The others learn from the whole first part, with its dates taken apart by hand: scikit-learn's
``HistGradientBoosting`` with early stopping at its defaults, and a logistic or ridge regression on standardised numbers
and one-hot categories. SET is one of ``churn``, ``made``, ``shift`` and ``digits``; all by default.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]


def made(rows: int = 40_000) -> pd.DataFrame:
    """The generator of the other benchmarks: a column of 2,000 values, missing ones, two interactions."""
    from bench.generate import make

    return make(rows, 5)


def shift(rows: int = 30_000) -> pd.DataFrame:
    """Rows in the order of time whose rate of positives grows; a rare label, dates, a column of 3,000 values."""
    r = np.random.default_rng(1)
    cities = r.normal(0, 0.7, 3000)
    part = np.sort(r.random(rows))
    when = pd.Timestamp("2022-01-01") + pd.to_timedelta((part * 730 * 86400).astype(int), unit="s")
    amount, age = np.exp(r.normal(3, 1.2, rows)), r.normal(45, 15, rows).clip(18, 90).round()
    city, active, score = r.zipf(1.3, rows) % 3000, r.random(rows) < 0.6, r.beta(2, 5, rows)
    logit = -6.2 + 0.7 * np.log(amount) - 0.02 * (age - 45) + cities[city] + 0.9 * active * (score > 0.3) + 1.5 * part
    logit += 0.6 * np.sin(np.asarray(when.hour) / 24 * 2 * np.pi) + 0.5 * (np.asarray(when.day_of_week) > 4)
    frame = pd.DataFrame(
        {
            "created_at": when.strftime("%Y-%m-%d %H:%M:%S"),
            "amount": np.where(r.random(rows) < 0.05, np.nan, amount.round(2)),
            "age": np.where(r.random(rows) < 0.1, np.nan, age),
            "city": [f"city_{c}" for c in city],
            "active": active,
            "score": score.round(4),
            "noise": r.normal(size=rows).round(3),
        }
    )
    return frame.assign(fraud=np.where(r.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no"))


def churn() -> pd.DataFrame:
    """Customers of a telephone company."""
    return pd.read_csv(ROOT / "data/churn.csv", na_values=[" "]).drop(columns="customerID")


TABLES = {"churn": (churn, "Churn", None), "made": (made, "label", None), "shift": (shift, "fraud", "created_at")}


def main() -> None:
    """Print one line of a Markdown table for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=[*TABLES, "digits"])
    parser.add_argument("--seeds", type=int, default=1, help="how many splits are averaged")
    options = parser.parse_args()
    print("| set | rows | measure | ours | gradient boosting | linear | seconds, ours |\n|---|---|---|---|---|---|---|")
    for name in options.sets:
        lines = [_one(name, seed) for seed in range(options.seeds)]
        kind, rows, measure = lines[0][:3]
        values = np.mean([line[3:] for line in lines], axis=0)
        print(f"| {kind} | {rows:,} | {measure} | {' | '.join(f'{v:.4g}' for v in values)} |", flush=True)


def _one(name: str, seed: int) -> tuple[str, int, str, float, float, float, float]:
    if name == "digits":
        return _digits(seed)
    if "=" in name:
        name, _, rest = name.partition("=")
        file, label, time_column = [*rest.split(":"), None][:3]
        frame = pd.read_csv(str(file))
    else:
        make, label, time_column = TABLES[name]
        frame = make()
    order = np.arange(len(frame)) if time_column else np.random.default_rng(seed).permutation(len(frame))
    cut = int(0.8 * len(frame))
    train, test = frame.iloc[order[:cut]], frame.iloc[order[cut:]]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        train.to_csv(project / "train.csv", index=False)
        test.drop(columns=label).to_csv(project / "test.csv", index=False)
        words = ["--label", label] + (["--time", time_column] if time_column else [])
        answers, seconds = _ours(project, "train.csv", "test.csv", words)
    return (name, len(frame), *_judged(answers, train, test, label), seconds)


def _ours(project: Path, train: str, test: str, words: list[str]) -> tuple[pd.DataFrame, float]:
    """Predictions of the first model, and the seconds that new and run took together."""
    env = {**os.environ, "KILNWORKS_ROOT": str(project), "KILNWORKS_STORE": str(project / "store")}

    def call(*command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "kilnworks", *command], cwd=ROOT, env=env, check=True, capture_output=True
        )

    start = time.perf_counter()
    call("new", "first", "--data", str(project / train), *words)
    call("run", "first")
    seconds = time.perf_counter() - start
    call("predict", "first", str(project / test), "--output", str(project / "answers.csv"))
    return pd.read_csv(project / "answers.csv"), seconds


def _judged(
    answers: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame, label: str
) -> tuple[str, float, float, float]:
    """Measure, and ours, boosting and linear by it."""
    from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

    boosted, linear = _others(train.drop(columns=label), train[label], test.drop(columns=label), "value" in answers)
    truth = test[label]
    if "value" in answers:
        return "R²", *(float(r2_score(truth, p)) for p in (answers["value"], boosted, linear))
    classes = sorted(train[label].unique())
    own = answers[[f"probability_{c}" for c in classes]].to_numpy()
    if len(classes) == 2:
        return "AUC", *(float(roc_auc_score(truth == classes[1], p[:, 1])) for p in (own, boosted, linear))
    names = np.array(classes)
    return "accuracy", *(float(accuracy_score(truth, names[p.argmax(axis=1)])) for p in (own, boosted, linear))


def _others(x: pd.DataFrame, y: pd.Series, z: pd.DataFrame, regression: bool) -> tuple[np.ndarray, np.ndarray]:
    """Answers of gradient boosting and of a linear model for ``z``."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    x, z = _apart(x), _apart(z)
    numbers = [c for c in x if x[c].dtype.kind in "iufb"]
    texts = [c for c in x if c not in numbers]
    coded, coded_z = x.copy(), z.copy()
    for c in texts:
        known = pd.Index(x[c].dropna().unique())
        coded[c], coded_z[c] = known.get_indexer(x[c]), known.get_indexer(z[c])
    few = [c in texts and coded[c].nunique() < 255 for c in coded]
    prepared = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    )
    if regression:
        trees = HistGradientBoostingRegressor(categorical_features=few, early_stopping=True, random_state=0)
        line = make_pipeline(prepared, Ridge())
        return trees.fit(coded, y).predict(coded_z), line.fit(x, y).predict(z)
    trees = HistGradientBoostingClassifier(categorical_features=few, early_stopping=True, random_state=0)
    line = make_pipeline(prepared, LogisticRegression(max_iter=500))
    return trees.fit(coded, y).predict_proba(coded_z), line.fit(x, y).predict_proba(z)


def _apart(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as seconds, hour, day of the week and month."""
    frame = frame.copy()
    for c in [c for c in frame if frame[c].dtype == object and str(frame[c].iloc[0])[:2] in ("19", "20")]:
        moments = pd.to_datetime(frame.pop(c), errors="coerce")
        frame[c] = (moments - pd.Timestamp(0)).dt.total_seconds()
        frame[f"{c} hour"], frame[f"{c} day"] = moments.dt.hour, moments.dt.day_of_week
        frame[f"{c} month"] = moments.dt.month
    return frame


def _digits(seed: int) -> tuple[str, int, str, float, float, float, float]:
    """Images in folders by class; the others see the pixels as columns."""
    from PIL import Image

    frame = pd.read_parquet(ROOT / "data/digits.parquet")
    pixels = np.stack([np.asarray(v).reshape(-1) for v in frame["image"]])
    labels = frame["digit"].astype(str).to_numpy()
    side = int(pixels.shape[1] ** 0.5)
    order = np.random.default_rng(seed).permutation(len(labels))
    cut = int(0.8 * len(labels))
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part, rows in (("train", order[:cut]), ("test", order[cut:])):
            for i in rows:
                place = project / part / labels[i]
                place.mkdir(parents=True, exist_ok=True)
                scaled = (pixels[i] / pixels.max() * 255).astype(np.uint8).reshape(side, side)
                Image.fromarray(scaled).save(place / f"{i}.png")
        answers, seconds = _ours(project, "train", "test", [])
    truth = answers["file"].str.split("/").str[0]
    boosted, linear = _others(
        pd.DataFrame(pixels[order[:cut]]), pd.Series(labels[order[:cut]]), pd.DataFrame(pixels[order[cut:]]), False
    )
    names = np.array(sorted(set(labels)))
    accuracy = float((truth == answers["class"].astype(str)).mean())
    others = [float((names[p.argmax(axis=1)] == labels[order[cut:]]).mean()) for p in (boosted, linear)]
    return ("digits (images)", len(labels), "accuracy", accuracy, *others, seconds)


if __name__ == "__main__":
    main()

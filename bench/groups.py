"""What the report promises and what other groups show, where the label is one of groups of rows (decision 385).

usage: python -m bench.groups [SET ...]

Three tenths of the groups are set aside; ``new`` and ``run`` see the others, once by the content of the rows, with
every column a feature, and once as ``new`` splits them. Printed is the AUC of each report and that of the groups set
aside. The sets come as those of ``bench.first_model`` do.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from bench.first.ours import first_answers
from bench.first.sets import of_package
from kilnworks.schemas.files import read_json

SETS = {
    "arthritis": ("multgee", "trt", "id"),
    "respiratory": ("HSAUR", "treatment", "subject"),
    "autism": ("HLMdiag", "bestest2", "childid"),
    "prothr": ("mstate", "treat", "id"),
    "evals": ("openintro", "ethnicity", "prof_id"),
}
"""Package, label of two classes, and what several rows are of."""
BY_ROWS = ('examples.split={"kind": "hash"}', "transform.features={}")


def main() -> None:
    """Print a line for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all by default")
    wanted = parser.parse_args().sets or SETS
    print("| set, label, groups | by rows: promised | found | as new splits: promised | found |")
    print("|---|---|---|---|---|")
    for name in wanted:
        package, label, group = SETS[name]
        frame = of_package(package, name).dropna(subset=[label])
        frame[label] = "c" + frame[label].astype(str)
        told = [*promised_and_found(frame, label, group, BY_ROWS), *promised_and_found(frame, label, group, ())]
        print(f"| {name}, {label}, {group} | {' | '.join(f'{value:.3f}' for value in told)} |", flush=True)


def promised_and_found(frame: pd.DataFrame, label: str, group: str, changed: tuple[str, ...]) -> tuple[float, float]:
    """AUC of the report, and of the groups that were set aside."""
    groups = frame[group].unique()
    aside = frame[group].isin(np.random.default_rng(0).choice(groups, int(0.3 * len(groups)), replace=False))
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        frame[~aside].to_csv(project / "seen.csv", index=False)
        frame[aside].drop(columns=label).to_csv(project / "aside.csv", index=False)
        [said], _ = first_answers(project, "seen.csv", ["aside.csv"], ["--label", label], 0, changed)
        report = read_json(project / "store/runs/first/one/evaluation/evaluation.json")
    last = sorted(frame[label].unique())[-1]
    (column,) = (name for name in said.columns if name.endswith(last))
    found = roc_auc_score(frame[aside][label] == last, said[column])
    return float(report["metrics"]["auc"]["value"]), float(found)


if __name__ == "__main__":
    main()

"""What a split by content says of tables whose rows come again, beside one in which each goes by itself (decision 381).

usage: python -m bench.copies [--salts N] [SET ...]

Of each set and label: the share of rows that have a copy while rows of the same features have another label, and as a
share of the rows that have a copy; whether ``new`` lets copies go apart; and by how much a linear model and boosted
trees tell rows of a tenth worse or better than chance by each of the two splits: AUC (two classes) or accuracy (more),
means over the salts, and that of splits by chance. The sets come as those of ``bench.first_model`` do.
"""

import argparse
from collections.abc import Iterator

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from bench.first.sets import of_package
from kilnworks.components.sources.splitting.hashing import CopyNumbers, hash_each, salted, unit_interval
from kilnworks.components.starting.units import copied_and_parted, why_apart
from kilnworks.schemas.contract import Contract

SETS = (
    ("COUNT", "titanic", "survived"),
    ("heplots", "AddHealth", "anxiety"),
    ("Stat2Data", "Airlines", "OnTime"),
    ("openintro", "pew_energy_2018", "nuclear_power_plants"),
    ("AER", "BankWages", "minority"),
    ("DAAG", "headInjury", "clinically.important.brain.injury"),
    ("Stat2Data", "YouthRisk2007", "smoke"),
    ("AER", "Fertility2", "morekids"),
    ("AER", "SmokeBan", "smoker"),
    ("AER", "SmokeBan", "ban"),
    ("pscl", "vote92", "vote"),
    ("COUNT", "azpro", "admit"),
    ("Stat2Data", "YouthRisk2009", "MarijuaEver"),
    ("carData", "Cowles", "volunteer"),
    ("carData", "WVS", "degree"),
    ("carData", "Arrests", "released"),
    ("AER", "CPSSWEducation", "gender"),
    ("stevedata", "Dee04", "college"),
    ("stevedata", "Dee04", "black"),
    ("DAAG", "spam7", "yesno"),
    ("vcdExtra", "Titanicp", "survived"),
    ("Stat2Data", "YouthRisk2009", "SmokeDaily"),
    ("AER", "DoctorVisits", "private"),
    ("Stat2Data", "FinalFourIzzo", "Final4"),
    ("vcdExtra", "PhdPubs", "female"),
    ("COUNT", "medpar", "hmo"),
    ("openintro", "china", "gender"),
    ("AER", "CPS1988", "region"),
    ("AER", "HealthInsurance", "limit"),
    ("wooldridge", "crime1", "black"),
    ("DAAG", "cps1", "black"),
    ("AER", "CPS1988", "smsa"),
    ("causaldata", "credit_cards", "LateApril"),
    ("AER", "HealthInsurance", "health"),
    ("stevedata", "voteincome", "vote"),
)
MOST = 6_000
"""Rows of a set that are looked at."""


def main() -> None:
    """Print a line for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help="names of sets; all by default")
    parser.add_argument("--salts", type=int, default=5, help="splits of each kind [default: 5]")
    given = parser.parse_args()
    columns = ["set, label", "rows", "parted", "of copies", "", "linear: content", "apart", "chance"]
    columns += ["boosting: content", "apart", "chance"]
    print(f"| {' | '.join(columns)} |")
    print("|" + "---|" * len(columns))
    for package, item, label in SETS:
        if not given.sets or item in given.sets:
            rows = _rows(package, item, label)
            copied, parted = copied_and_parted(rows, label)
            out = "apart" if why_apart(_contract(rows, label), rows) else ""
            shares = f"{parted / rows.height:.3f} | {parted / max(copied, 1):.2f} | {out}"
            told = " | ".join(f"{value:.3f}" for value in figures(rows, label, given.salts).ravel())
            print(f"| {item}, {label} | {rows.height:,} | {shares} | {told} |", flush=True)


def figures(rows: pl.DataFrame, label: str, salts: int) -> np.ndarray:
    """[2 models, 3 splits]: mean AUC or accuracy of the rows that judge."""
    texts = rows.select(pl.all().cast(pl.String).fill_null("missing"))
    numbers = rows.select(pl.exclude(label).map_batches(_numbers)).to_numpy()
    target = np.unique(texts[label].to_numpy(), return_inverse=True)[1]
    found = []
    for salt in range(salts):
        for judges in _splits(rows, salt):
            if len(np.unique(target[judges])) < 2 or set(target[judges]) - set(target[~judges]):
                found.append(np.full(2, np.nan))
                continue
            linear = make_pipeline(
                OneHotEncoder(handle_unknown="ignore", min_frequency=5), LogisticRegression(max_iter=500)
            )
            boosting = HistGradientBoostingClassifier(random_state=0)
            x = texts.drop(label).to_numpy()
            linear.fit(x[~judges], target[~judges])
            boosting.fit(numbers[~judges], target[~judges])
            found.append(
                np.array(
                    [
                        _measure(target[judges], linear.predict_proba(x[judges])),
                        _measure(target[judges], boosting.predict_proba(numbers[judges])),
                    ]
                )
            )
    return np.nanmean(np.array(found).reshape(salts, 3, 2), axis=0).T


def _measure(truth: np.ndarray, said: np.ndarray) -> float:
    if said.shape[1] == 2:
        return float(roc_auc_score(truth, said[:, 1]))
    return float((said.argmax(axis=1) == truth).mean())


def _splits(rows: pl.DataFrame, salt: int) -> Iterator[np.ndarray]:
    """Which rows judge: by content, each by itself, by chance."""
    hashes = hash_each(rows, rows.columns)
    for each in (hashes, [*hashes, CopyNumbers().of(hashes)]):
        yield unit_interval(salted(each, rows.height, salt)) >= 0.9
    yield np.random.default_rng(salt).random(rows.height) >= 0.9


def _numbers(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return column.rank("dense").cast(pl.Float64)
    return column.cast(pl.Float64)


def _contract(rows: pl.DataFrame, label: str) -> Contract:
    features = {name: {"dtype": "string"} for name in rows.columns if name != label}
    classes = sorted(rows[label].unique())
    said = {"name": label, "dtype": "string", "classes": classes}
    return Contract.model_validate({"name": "x", "features": features, "label": said})


def _rows(package: str, item: str, label: str) -> pl.DataFrame:
    found = of_package(package, item)
    found = found[found[label].notna()]
    found = found.sample(min(len(found), MOST), random_state=0)
    kept = [name for name in found if found[name].dtype.kind in "iuf" and name != label]
    columns = {n: found[n].to_numpy() if n in kept else [str(value) for value in found[n]] for n in found}
    return pl.DataFrame(columns)


if __name__ == "__main__":
    main()

"""Labels that belong to something several rows are of: its rows go to one part of the split."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import ByHash, ByTime
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.splitting.assign import make_assigner
from kilnworks.components.starting.start import start
from kilnworks.components.starting.units import group_of
from kilnworks.schemas.contract import Contract


def visits(patients=80, each=5, *, name="patient", texts=False):
    """Visits of patients, who are ill or not; what is measured hangs on the patient alone."""
    r = np.random.default_rng(0)
    ill, size = r.random(patients) < 0.4, r.normal(0, 1, patients)
    who = np.repeat(np.arange(patients), each)
    numbers = pl.Series(1000 + who)
    return pl.DataFrame(
        {
            name: "p" + numbers.cast(pl.String) if texts else numbers,
            "visit": np.tile(np.arange(each), patients),
            "size": (size[who] + r.normal(0, 0.05, len(who))).round(3),
            "ill": np.where(ill[who], "yes", "no"),
        }
    )


def look(folder, frame, label="ill", **asked):
    frame.write_csv(folder / "rows.csv")
    return start("rows", str(folder / "rows.csv"), label=label, **asked)


@pytest.mark.parametrize("texts", [False, True])
def test_all_visits_of_a_patient_go_to_one_part(tmp_path, texts):
    frame = visits(texts=texts)
    recipe = look(tmp_path, frame)
    assert isinstance(recipe.split, ByHash) and recipe.split.key == "patient" and recipe.split.copies == "together"
    assert recipe.transform.features["patient"].encode == "drop" and "patient" in recipe.contract.features
    (line,) = [d for d in recipe.decisions if d.what == "groups"]
    assert line.flagged and line.choice == "patient" and "all rows of one have one ill" in line.why
    (split,) = [d for d in recipe.decisions if d.what == "split"]
    assert split.choice == "by hash of patient"
    wanted = Wanted(contract_columns(recipe.contract), frozenset(recipe.contract.ignore))
    (rows,) = recipe.source.frames(wanted)
    parts = make_assigner(recipe.split, recipe.contract, recipe.source, wanted).assign(rows, None)
    who = [set(part["patient"].to_list()) for part in parts.values()]
    assert all(who) and sum(map(len, who)) == 80, "every patient in one part"
    assert all(part["ill"].n_unique() == 2 for part in parts.values())


def test_what_changes_from_visit_to_visit_is_no_label_of_patients(tmp_path):
    frame = visits().with_columns(ill=pl.Series(np.random.default_rng(1).choice(["yes", "no"], 400)))
    recipe = look(tmp_path, frame)
    assert recipe.split.key is None and "patient" not in recipe.transform.features


def test_by_time_the_latest_visits_judge(tmp_path):
    day = dt.datetime(2024, 1, 1)
    frame = visits().with_columns(day=pl.Series([day + dt.timedelta(days=i % 5, hours=i // 5) for i in range(400)]))
    recipe = look(tmp_path, frame)
    assert isinstance(recipe.split, ByTime) and not [d for d in recipe.decisions if d.what == "groups"]


def group(labels, **columns):
    frame = pl.DataFrame({**columns, "y": labels})
    features = {n: {"dtype": "int" if frame[n].dtype.is_integer() else "string"} for n in columns}
    label = {"name": "y", "dtype": "string", "classes": sorted(set(labels))}
    return group_of(Contract.model_validate({"name": "x", "features": features, "label": label}), frame)


def test_an_amount_that_tells_the_label_is_no_group():
    ages = [i % 60 for i in range(600)]
    assert group(["old" if age > 40 else "young" for age in ages], age=ages) is None
    tens = [str(age) for age in ages]
    assert group(["even" if age % 2 else "odd" for age in ages], code=tens) == "code"


def test_rare_classes_and_few_groups_are_no_evidence():
    who = [i // 3 for i in range(600)]
    rare = ["yes" if number in (3, 90, 150) else "no" for number in who]
    assert group(rare, who=who) is None, "three rows without it are nothing to wonder at"
    many = [i // 3 for i in range(30_000)]
    seldom = np.where(np.random.default_rng(0).random(30_000) < 0.01, "yes", "no").tolist()
    assert group(seldom, who=many) is None, "97 of 100 groups have one label by chance"
    illness = np.repeat(np.random.default_rng(0).random(200) < 0.1, 5)
    assert group(np.where(illness, "yes", "no").tolist(), who=[i // 5 for i in range(1000)]) == "who"
    few = [i % 12 for i in range(600)]
    assert group([["a", "b"][number * 7 % 5 % 2] for number in few], who=few) is None


def test_of_several_the_one_of_fewest_values():
    order = [i // 6 for i in range(600)]
    parcel = [i // 2 for i in range(600)]
    back = [["kept", "back"][number * 7 % 5 % 2] for number in order]
    assert group(back, parcel=parcel, order=order) == "order"
    single = ["back" if i == 5 else label for i, label in enumerate(back)]
    assert group(single, order=order) == "order", "one row of six hundred that differs"

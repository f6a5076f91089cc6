"""The label."""

from tests.quality.faults.batch import Batch, Spoiled, fault


@fault
def label_flipped(b: Batch) -> Spoiled:
    kinds = sorted(b.clean[b.label].dropna().unique().tolist())
    if len(kinds) != 2:
        return None
    return b.frame.assign(**{b.label: b.frame[b.label].map({kinds[0]: kinds[1], kinds[1]: kinds[0]})})


@fault
def label_shuffled(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.r.permutation(b.frame[b.label].to_numpy())})


@fault
def label_missing_in_part(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.frame[b.label].astype(object).where(~b.some(0.1))})


@fault
def label_all_one_class(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.frame[b.label].iloc[0]})


@fault
def class_shares_shifted(b: Batch) -> Spoiled:
    if b.clean[b.label].nunique() > 10:
        return None
    rare = b.frame[b.label] == b.clean[b.label].value_counts().index[-1]
    return b.frame[~rare | b.some(0.3)]


@fault
def new_class(b: Batch) -> Spoiled:
    if b.clean[b.label].nunique() > 10:
        return None
    return b.frame.assign(**{b.label: b.frame[b.label].astype(object).where(~b.some(0.05), "2")})


@fault
def label_in_other_units(b: Batch) -> Spoiled:
    return b.frame.assign(**{b.label: b.frame[b.label] / 1000}) if b.clean[b.label].nunique() > 10 else None

"""Which columns a contract asks of a source, and the words for those that are missing, renamed or unknown."""

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kilnworks.components.sources.files.layout import refuse_repeated
from kilnworks.schemas.contract import Contract, Dtype, Feature, Label, Scalar
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.words import listed

_BYTES = {"float": 8, "int": 8, "bool": 1, "string": 24, "datetime": 8, "image": 1, "key": 24, "time": 8}


@dataclass(frozen=True)
class Column:
    """A wanted column.

    Attributes:
        dtype: a dtype of the contract; ``key``: text or integers, as found; ``time``: a datetime or a number, as found.
        shape: shape of one value, empty for a scalar.
        optional: whether the column may be absent.
        sensitive: whether its values are left out of messages.
        written: how a column of dates writes them; None for ISO 8601.
        label: whether it is what the model is to predict: texts such as ``NA`` mean that it is missing.
        classes: of a label.
        many: a label of which a row may have many classes, or boxes.
        number: how its numbers are written in text; None where plainly.
    """

    name: str
    dtype: Dtype | Literal["key", "time"]
    shape: tuple[int, ...] = ()
    optional: bool = False
    sensitive: bool = False
    written: DateFormat | None = None
    label: bool = False
    classes: tuple[Scalar, ...] = ()
    many: Label | None = None
    number: NumberFormat | None = None

    @property
    def size(self) -> int:
        """Number of elements in one value."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """About the bytes of one value in memory."""
        element = 4 if self.shape and self.dtype == "float" else _BYTES[self.dtype]
        return element * self.size


def contract_columns(contract: Contract, optional: Collection[str] = ()) -> dict[str, Column]:
    """The columns of a contract by name: key, time, features, label; those in ``optional`` may be absent."""
    columns = {name: _column(contract, name, name in optional) for name in contract.columns}
    return {name: replace(column, number=contract.numbers.get(name)) for name, column in columns.items()}


def _column(contract: Contract, name: str, optional: bool) -> Column:
    feature: Feature | None = contract.features.get(name)
    if feature is not None:
        return Column(name, feature.dtype, feature.shape, optional, feature.sensitive, contract.dates.get(name))
    if contract.label is not None and name == contract.label.name and contract.label.several:
        return Column(
            name, "string", (), optional, label=True, classes=contract.label.classes or (), many=contract.label
        )
    if contract.label is not None and name == contract.label.name:
        return Column(name, contract.label.dtype, (), optional, label=True, classes=contract.label.classes or ())
    if name in contract.dates:
        return Column(name, "datetime", (), optional, written=contract.dates[name])
    return Column(name, "time" if name == contract.time and name != contract.key else "key", (), optional)


def check_columns(
    found: Sequence[str], wanted: Mapping[str, Column], ignore: Collection[str], where: str, any_extra: bool = False
) -> None:
    """Compare the columns of a source with those wanted.

    Raises:
        DataInvalid: a column is missing, twice there, or unknown; the message names the nearest match of each.
            Columns without a name are passed over.
    """
    missing = [name for name, column in wanted.items() if name not in found and not column.optional]
    known = {*wanted, *ignore}
    extra = [] if any_extra else [name for name in dict.fromkeys(found) if name not in known and name.strip()]
    refuse_repeated(found, where, list(wanted))
    if not (missing or extra):
        return
    unclaimed = [name for name in found if name not in wanted]
    lines = [_missing_line(name, unclaimed) for name in missing]
    lines += [
        _extra_line(name, missing)
        for name in extra
        if not (near(name, missing) and near(near(name, missing), unclaimed) == name)
    ]
    failures = [_failure(name, "column is present") for name in missing]
    failures += [_failure(name, "column is known") for name in extra]
    raise DataInvalid(
        f"{where}: " + "; ".join(lines),
        f"the columns {listed(wanted)}",
        "rename or add the column in the data, or change the contract (`ignore: [...]` for columns that are not used)",
        failures,
    )


def near(name: str, names: Collection[str]) -> str:
    """The closest of ``names``, without regard to case, blanks and underscores; empty where none is close."""
    plain = {_plain(other): other for other in names}
    hit = difflib.get_close_matches(_plain(name), list(plain), n=1, cutoff=0.6)
    return plain[hit[0]] if hit else ""


def _plain(name: str) -> str:
    return "".join(ch for ch in name.lower() if ch.isalnum())


def _missing_line(name: str, unclaimed: Sequence[str]) -> str:
    like = near(name, unclaimed)
    return f"column {name!r} is missing" + (f" (there is a column {like!r}: renamed?)" if like else "")


def _extra_line(name: str, missing: Sequence[str]) -> str:
    like = near(name, missing)
    return f"column {name!r} is not in the contract" + (f" (did you mean {like!r}?)" if like else "")


def _failure(column: str, rule: str) -> dict[str, object]:
    return {
        "split": None,
        "column": column,
        "rule": rule,
        "severity": "critical",
        "unexpected": None,
        "checked": None,
        "samples": [],
    }

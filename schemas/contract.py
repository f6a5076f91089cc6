"""The data contract: the one place that says what a data set looks like.

Everything else is derived from it: the Great Expectations suite, the preprocessing inside the model, the
serving signature, the check of requests and the drift baseline. Written as YAML, one file a data set::

    name: churn
    description: Customers of a telephone company, one row each.
    key: customerID
    features:
      tenure: {dtype: int, min: 0, max: 100, unit: months, description: Months since the first bill.}
      Contract: {dtype: string, allowed: [Month-to-month, One year, Two year]}
    label: {name: Churn, dtype: string, classes: ["No", "Yes"]}
    rows: {min: 100}
    checks:
      - {expectation: expect_column_mean_to_be_between, kwargs: {column: tenure, min_value: 10}, severity: warning}
"""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from kilnworks.schemas.columns import Advances, Dtype, Feature, Label, Scalar, Severity
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract_yaml import read_yaml, refused, require_readable, write_yaml
from kilnworks.schemas.dates import DateFormat, as_date_format
from kilnworks.schemas.errors import ContractError
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.reference import DriftThresholds, Reference
from kilnworks.schemas.series import Series
from kilnworks.schemas.words import listed

__all__ = [
    "FILE_PARTS", "Advances", "Check", "Contract", "Dtype", "Feature", "Label", "RowCount", "Scalar", "Severity",
    "dump_contract", "load_contract", "parse_contract",
]  # fmt: skip

FILE_PARTS = ("height", "width", "channels", "dtype")
"""What is known of the file that an image came from, in columns ``<feature>__height`` ... beside the pixels."""


class RowCount(Config):
    """How many rows a data set may have, over all splits."""

    min: int = Field(default=1, ge=0)
    max: int | None = Field(default=None, ge=1)


class Check(Config):
    """Any expectation of Great Expectations, by its name there."""

    expectation: str = Field(pattern=r"^(expect|unexpected)_[a-z0-9_]+$")
    """Snake-case name, e.g. ``expect_column_mean_to_be_between``."""
    kwargs: dict[str, Any] = Field(default_factory=dict)
    severity: Severity = "critical"
    description: str = ""


class Contract(Config):
    """What a data set looks like. Read one with ``load_contract``."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    description: str = ""
    features: dict[str, Feature]
    label: Label | None = None
    key: str | None = None
    """Column that names a row: never missing, never twice, never a feature."""
    time: str | None = None
    """Column that says when a row was made; splits and drift windows follow it."""
    series: Series | None = None
    """That rows are moments of a series, whose label is forecast; left out where rows stand for themselves."""
    dates: dict[str, DateFormat] = Field(default_factory=dict)
    """How columns of dates are written where that is not ISO 8601: ``{sold: {format: "%d.%m.%Y"}}``."""
    ignore: tuple[str, ...] = ()
    """Columns of the source that are known and left out."""
    rows: RowCount = RowCount()
    on_bad_rows: Literal["fail", "quarantine"] = "fail"
    """What becomes of rows that break a critical rule on single rows: ``fail`` stops the pipeline, ``quarantine`` sets
    them aside, with the reasons, up to ``max_quarantined``, and goes on with the rest."""
    max_quarantined: float = Field(default=0.01, ge=0, le=1)
    """Largest share of the rows, 0 to 1, that may be set aside; where more are bad, all stay and the pipeline stops."""
    numbers: dict[str, NumberFormat] = Field(default_factory=dict)
    """How columns of numbers are written in text where not plainly as -1234.5: ``{price: {thousands: ","}}``. A text
    that is not written so is no number."""
    drift: DriftThresholds | None = None
    """From where a change counts when data sets are compared; left out: those of ``reference``, else the defaults."""
    checks: tuple[Check, ...] = ()
    """Rules beyond those of the single features."""
    reference: Reference | None = None
    """Statistics of the clean data, made by ``contract infer``; ``contract check`` compares batches with them."""

    @field_validator("features", mode="before")
    @classmethod
    def _features_named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("features is a mapping: name -> {dtype: ...}")
        return value

    @field_validator("dates", mode="before")
    @classmethod
    def _formats_named(cls, value: Any) -> Any:
        return {name: as_date_format(one) for name, one in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _there_is_something_to_look_at(self) -> Self:
        if not self.features and self.series is None:
            raise ValueError("features: there is none; name one column at least, or `series`, whose past is looked at")
        return self

    @model_validator(mode="after")
    def _dates_are_dates(self) -> Self:
        moments = [n for n, f in self.features.items() if f.dtype == "datetime"]
        for name in self.dates:
            if name in self.features and name not in moments:
                raise ValueError(f"dates: feature {name!r} has dtype {self.features[name].dtype}, not datetime")
            if name not in (*moments, self.time, *self.ignore):
                known = ", ".join(dict.fromkeys([*moments, *([self.time] if self.time else [])])) or "none"
                raise ValueError(f"dates: there is no column of dates {name!r}; there are: {known}")
        return self

    @model_validator(mode="after")
    def _columns_do_not_collide(self) -> Self:
        spelled = [self.label.name, *self.label.columns] if self.label else []
        others = [*spelled, *([self.key] if self.key else []), *self.ignore]
        for name in others:
            if name in self.features:
                raise ValueError(
                    f"column {name!r} is a feature and also the label, the key or ignored; it can be one of these"
                )
        images = [name for name, feature in self.features.items() if feature.dtype == "image"]
        taken = {f"{name}__{part}" for name in images for part in FILE_PARTS} & set(self.columns)
        if taken:
            raise ValueError(f"column {min(taken)!r}: checks use this name for the file that an image comes from")
        return self

    @model_validator(mode="after")
    def _numbers_are_numbers(self) -> Self:
        dtypes: dict[str, str] = {n: f.dtype for n, f in self.features.items() if not f.shape}
        if self.label is not None:
            dtypes[self.label.name] = self.label.dtype
        for name in self.numbers:
            if name not in self.columns and name not in self.ignore:
                raise ValueError(f"numbers: there is no column {name!r}; there are: {listed(self.columns)}")
            if dtypes.get(name, "int") not in ("int", "float"):
                raise ValueError(f"numbers: column {name!r} has dtype {dtypes[name]}, not int or float")
        return self

    @model_validator(mode="after")
    def _series_has_its_columns(self) -> Self:
        if self.series is None:
            return self
        if self.time is None:
            raise ValueError("series needs time: the column that says when a row was measured")
        if self.label is None or self.label.classes is not None:
            raise ValueError("series needs a label without classes: the number that is forecast")
        for name in (*self.series.ahead, *([self.series.group] if self.series.group else [])):
            if name not in self.features:
                raise ValueError(f"series: there is no feature {name!r}; there are: {listed(self.features)}")
        for name, feature in self.features.items():
            if name == self.series.group:
                if feature.dtype != "string":
                    raise ValueError(f"series: the group {name!r} has dtype {feature.dtype}, wanted string")
            elif feature.dtype not in ("float", "int", "bool") or feature.shape:
                raise ValueError(f"series: feature {name!r} is no plain number; ignore it, or write it as numbers")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a data set must have: key, time, features, label; in this order, each once."""
        label = self.label.name if self.label else None
        return tuple(dict.fromkeys(c for c in (self.key, self.time, *self.features, label) if c is not None))


def load_contract(path: Path | str) -> Contract:
    """Read a contract file.

    Raises:
        ContractError: the file is missing, is not YAML, or breaks a rule; the message names the line,
            the value found, and what is allowed there; or its statistics do not lie beside it.
    """
    path = Path(path)
    if not path.is_file():
        raise ContractError(f"no contract file {path}", "a YAML file that describes the data", "check the path")
    require_readable(path.stat().st_size, str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of {path} is no UTF-8"
        raise ContractError(where, "a YAML file in UTF-8", "save it in UTF-8") from None
    contract = parse_contract(text, str(path))
    if contract.reference is None:
        return contract
    return contract.model_copy(update={"reference": contract.reference.read(path.parent)})


def parse_contract(text: str, origin: str = "<text>") -> Contract:
    """``load_contract`` for a text already in memory; ``origin`` names it in messages."""
    tree = read_yaml(text, origin)
    try:
        return Contract.model_validate(tree)
    except ValidationError as error:
        raise refused(error, Contract, text, origin) from None


def dump_contract(contract: Contract) -> str:
    """The contract as YAML that ``parse_contract`` reads back to an equal value; defaults are left out."""
    tree = contract.model_dump(mode="json", exclude_defaults=True)
    return write_yaml(tree)

"""How MLflow opens a served model: a pandas frame of raw features in, a frame of answers out.

A copy of this file lies in every exported model, so it imports TensorFlow, NumPy and pandas, and nothing of this
project. MLflow calls ``_load_pyfunc`` (https://mlflow.org/docs/latest/ml/model/python_model).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 4096
EXACT = 2**53
"""Whole numbers up to here are exact as float64, which pandas makes of a column with missing ones."""
INPUTS = Path("assets.extra/inputs.json")


class ServedModel:
    """A SavedModel that is asked with pandas."""

    def __init__(self, folder: Path) -> None:
        """``folder``: of the SavedModel."""
        import tensorflow as tf

        self._model = tf.saved_model.load(str(folder))
        self._inputs: dict[str, dict[str, Any]] = json.loads((folder / INPUTS).read_text(encoding="utf-8"))

    def predict(self, frame: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """One row of answers for each row of features; an answer of several numbers is a list.

        Args:
            frame: columns by the names of the features, others are not looked at; or what makes such a frame. Missing
                values are None, NaN, NaT or ``pd.NA``; datetimes are datetimes (UTC where they name no zone), ISO 8601
                texts or seconds since 1970; arrays and images are nested lists or NumPy arrays.
            params: MLflow's; there are none.

        Raises:
            ValueError: a column that is not there, or a value that cannot be sent.
        """
        import pandas as pd

        frame = frame if isinstance(frame, pd.DataFrame) else pd.DataFrame(frame)
        absent = [name for name in self._inputs if name not in frame.columns]
        if absent:
            raise ValueError(f"got no column {', '.join(absent)}; wanted: {', '.join(self._inputs)}")
        arrays = {name: tensor(name, frame[name], told) for name, told in self._inputs.items()}
        parts = [self._asked(arrays, start) for start in range(0, max(len(frame), 1), BATCH_ROWS)]
        answers = {name: np.concatenate([part[name] for part in parts]) for name in sorted(parts[0])}
        return pd.DataFrame({n: _column(values) for n, values in answers.items()}, index=frame.index)

    def _asked(self, arrays: Mapping[str, np.ndarray], start: int) -> dict[str, np.ndarray]:
        import tensorflow as tf

        tensors = {
            name: tf.constant(values[start : start + BATCH_ROWS], dtype=self._inputs[name]["dtype"])
            for name, values in arrays.items()
        }
        answers = self._model.signatures["serving_default"](**tensors)
        return {name: np.asarray(value) for name, value in answers.items()}


def tensor(name: str, column: pd.Series, told: Mapping[str, Any]) -> np.ndarray:
    """A column as it is served.

    Args:
        name: of the feature.
        column: its values.
        told: ``dtype``, ``shape`` and, where there are some, ``missing``, ``unit`` and ``text`` of the input.

    Raises:
        ValueError: a value that is none of this dtype, or a missing one where the model has no word for it.
    """
    gone = column.isna().to_numpy()
    if gone.any() and "missing" not in told and told["dtype"] not in ("string", "float32"):
        raise ValueError(f"{name}: row {int(np.argmax(gone))} is missing; wanted a value in every row")
    shape = tuple(told["shape"][1:])
    out = np.full((len(column), *shape), _word(told), _dtype(told["dtype"]))
    try:
        out[~gone] = _values(column[~gone], told, shape)
    except (ValueError, TypeError, OverflowError) as error:
        unit = f", {told['unit']}" if "unit" in told else ""
        raise ValueError(f"{name}: {error}; wanted {told['dtype']}{unit}") from error
    return out


def _values(column: pd.Series, told: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """Values that are there, in the dtype of the input."""
    if "text" in told:
        return _seconds(column)
    if shape:
        rows = [np.asarray(_nested(value), _dtype(told["dtype"])).reshape(shape) for value in column]
        return np.stack(rows) if rows else np.empty((0, *shape), _dtype(told["dtype"]))
    convert: Callable[[Any], Any] = {"string": _text, "int64": _whole, "bool": _truth}.get(told["dtype"], float)
    if column.dtype.kind in {"int64": "iu", "bool": "b", "float32": "iufb"}.get(told["dtype"], ""):
        return column.to_numpy()
    return [convert(value) for value in column]


def _seconds(column: pd.Series) -> Any:
    """Whole seconds since 1970 in UTC."""
    import pandas as pd

    if column.dtype.kind in "iuf":
        return [_whole(value) for value in column]
    texts = column.dtype.kind != "M"
    moments = pd.to_datetime(column, utc=True, format="ISO8601") if texts else pd.to_datetime(column, utc=True)
    return moments.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64) // 1_000_000


def _nested(value: Any) -> Any:
    """Lists of lists from whatever holds them."""
    return [_nested(one) for one in value] if isinstance(value, list | tuple | np.ndarray) else value


def _whole(value: Any) -> int:
    """A whole number; one that came as a float must have all its digits."""
    number = int(value)
    if isinstance(value, float) and number != value:
        raise ValueError(f"got {value}, which is no whole number")
    if isinstance(value, float) and abs(number) > EXACT:
        raise ValueError(f"got {value} as a float, which has lost digits; read the column with dtype Int64")
    return number


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(f"got {value!r}, which is neither true nor false")
    return bool(value)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _word(told: Mapping[str, Any]) -> Any:
    """What stands for a missing value: NaN, which JSON does not have, no text, or what the input says."""
    return {"float32": float("nan"), "string": ""}.get(told["dtype"], told.get("missing", 0))


def _dtype(dtype: str) -> Any:
    return object if dtype == "string" else np.dtype(dtype)


def _column(values: np.ndarray) -> list[Any]:
    """Texts as texts, several numbers as a list."""
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]


def _load_pyfunc(data_path: str) -> ServedModel:
    """What MLflow calls."""
    return ServedModel(Path(data_path))

"""Personal values never leave: what stands in a report in place of a value of a feature marked ``sensitive``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.components.quality.rows.tensor_columns import PARTS
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.wire import MASK

COLUMN_ARGUMENTS = ("column", "column_A", "column_B")
VALUES = ("partial_unexpected_list", "partial_unexpected_index_list", "unexpected_list", "partial_missing_list")


def sensitive_columns(contract: Contract) -> frozenset[str]:
    """Sensitive features, and the columns of scalars that stand for those that are tensors."""
    names = {name for name, feature in contract.features.items() if feature.sensitive}
    return frozenset(names | {f"{name}__{part}" for name in names for part in (*PARTS, "shared")})


def columns_of(kwargs: Mapping[str, Any]) -> frozenset[str]:
    """The columns that an expectation is about."""
    single = [kwargs[name] for name in COLUMN_ARGUMENTS if isinstance(kwargs.get(name), str)]
    return frozenset([*single, *(kwargs.get("column_list") or ())])


def mask_result(one: Any) -> None:
    """Replace values in a result of the library, in place; counts and shares stay."""
    result = one.result
    for name in VALUES:
        if result.get(name):
            result[name] = [MASK] * len(result[name])
    for counted in result.get("partial_unexpected_counts") or ():
        if isinstance(counted, dict) and "value" in counted:
            counted["value"] = MASK
    if result.get("observed_value") is not None and not _is_about_type(one):
        result["observed_value"] = MASK
    result.pop("details", None)
    if one.exception_info:
        one.exception_info = _masked_exception(one.exception_info)


def _is_about_type(one: Any) -> bool:
    return str(one.expectation_config.type).endswith(("of_type", "in_type_list", "type_to_be"))


def _masked_exception(info: Any) -> Any:
    """The exception without its words, which may quote values."""
    if not isinstance(info, Mapping):
        return info
    if "raised_exception" in info:
        return {**info, "exception_message": MASK, "exception_traceback": MASK} if info["raised_exception"] else info
    return {key: _masked_exception(value) for key, value in info.items()}

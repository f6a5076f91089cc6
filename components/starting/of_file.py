"""What ``contract infer`` says about a file besides its contract: how values are read, and how to say otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from kilnworks.components.quality.screening.columns.column_specs import describe_read
from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.starting.dated import date_decisions
from kilnworks.components.starting.recipe import Decision
from kilnworks.components.starting.spellings import hidden_decisions, spelling_decisions
from kilnworks.schemas.contract import Contract


def decisions_of_file(
    path: Path, contract: Contract, hidden: Collection[str] = (), decimals: Mapping[str, str] | None = None
) -> list[Decision]:
    """How dates and numbers of a file are read, and which values look alike, in the words of ``new``.

    Args:
        path: the file.
        contract: the contract that was inferred from it.
        hidden: columns whose values must not be shown; only what reads in two ways is said of them.
        decimals: the decimal sign of columns, as for ``infer_contract``.

    Raises:
        DataUnreadable: the file cannot be read.
    """
    frame, facts = read_file(path)
    specs = describe_read(frame, facts, decimals)
    shown = frame.drop(list(hidden), strict=False)
    label = contract.label.name if contract.label and contract.label.name in shown.columns else None
    return [
        *date_decisions(shown, specs),
        *spelling_decisions(shown, specs, label, contract.columns),
        *hidden_decisions({name: specs[name] for name in hidden}),
    ]

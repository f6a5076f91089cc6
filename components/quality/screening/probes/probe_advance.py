"""Columns that advance: judged by their steps, gaps and pace and by where they go on from, never by their level."""

from collections.abc import Iterator

from kilnworks.components.quality.screening.columns.advance import Advance
from kilnworks.components.quality.screening.probes.advance_dates import compare_date, learn_date
from kilnworks.components.quality.screening.probes.advance_numbers import compare_number, learn_number
from kilnworks.components.quality.screening.probes.advance_texts import (
    compare_cycle,
    compare_part,
    compare_text,
    learn_cycle,
    learn_part,
    learn_text,
)
from kilnworks.components.quality.screening.probes.evidence import Evidence
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput

_LEARN = {
    "number": learn_number,
    "date": learn_date,
    "text": learn_text,
    "part": learn_part,
    "cycle": learn_cycle,
    "constant": learn_text,
}
_COMPARE = {
    "number": compare_number,
    "date": compare_date,
    "text": compare_text,
    "part": compare_part,
    "cycle": compare_cycle,
    "constant": compare_text,
}


class AdvanceProbe:
    """Compares how columns go on."""

    name = "advance"

    def learn(self, batch: ProbeInput) -> Learned:
        """By column: where it ends, its steps and pace, how often it stays or repeats."""
        columns = {}
        for name, advance in batch.advances.items():
            learned = _LEARN[advance.form](batch, name, advance)
            if learned is not None:
                columns[name] = {"advance": advance.to_json(), **learned}
        return {"columns": columns}

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """The steps of each column that the file has."""
        for name, kept in learned["columns"].items():
            if name in batch.table.everything and name in batch.advances:
                advance = Advance.from_json(kept["advance"])
                yield from _COMPARE[advance.form](kept, batch, name, advance)

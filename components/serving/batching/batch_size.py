"""Learns how many rows a batch should have at least: more would only keep requests waiting.

A run costs something by itself and something for each row. Where the rows weigh more, large batches save nothing, and
those who wait for them leave the processors idle meanwhile; where the run itself weighs more, rows are nearly free.
What weighs more depends on the model and the machine, so the time of every run is noted, by its size.
"""

import math

ANY = 2**31
"""As many rows as there are."""
_AROUND_SECONDS = 50e-6
"""What a run costs around the graph: merging, splitting, a change of threads."""
_AS_GOOD = 1.4
"""A size whose rows cost at most so many times the least is good enough; a difference of less is noise."""
_TRIAL_SECONDS = (2.0, 20.0)
"""Between trials of one row and of any number: the longer, the more often in a row they have changed nothing."""
_TRIALS_OF_ONE = 4
"""Batches of one request in a trial: the first runs of a graph take longer than the later ones."""
_LEARN_DEARER, _LEARN_CHEAPER = 0.01, 0.3
"""How much of an error one run corrects: a run that takes longer does so because of others beside it, mostly."""
_CLASSES = 16
_LOOK_RUNS = 8
"""After so many runs what is learned is looked at anew."""


class BatchSize:
    """Rows wanted in a batch. Safe for threads: a note that gets lost does no harm."""

    def __init__(self) -> None:
        self._row_seconds = [math.inf] * _CLASSES  # by the number of binary digits of the rows
        self._trial_at, self._kept_seconds = 0.0, _TRIAL_SECONDS[0]
        self._tried = 0
        self._learned, self._before = ANY, 0
        self._runs = 0

    def learned(self, now: float) -> int:
        """Rows at which a batch is large enough, as far as known; ANY when a trial is due. ``now`` in seconds."""
        return self._learned if now < self._trial_at else ANY

    def wanted(self, now: float) -> int:
        """As ``learned``, for a batch that begins; a trial is a few batches of one request, and one without a limit."""
        if now < self._trial_at:
            return self._learned
        if self._tried < _TRIALS_OF_ONE:
            self._tried += 1
            return 1
        least, most = _TRIAL_SECONDS
        self._kept_seconds = min(2 * self._kept_seconds, most) if self._learned == self._before else least
        self._tried, self._trial_at, self._before = 0, now + self._kept_seconds, self._learned
        return ANY

    def learn(self, rows: int, seconds: float) -> None:
        """Note a run of ``rows`` >= 1 that took so long."""
        digits = min(rows.bit_length(), _CLASSES - 1)
        found, before = (seconds + _AROUND_SECONDS) / rows, self._row_seconds[digits]
        if math.isinf(before):
            self._row_seconds[digits] = found
        else:
            self._row_seconds[digits] += (_LEARN_DEARER if found > before else _LEARN_CHEAPER) * (found - before)
        self._runs += 1
        if self._runs % _LOOK_RUNS == 0:
            self._learned = self._best()

    def _best(self) -> int:
        """The most rows of the smallest class that is good enough; ANY while no larger one has been seen."""
        costs = self._row_seconds
        good = _AS_GOOD * min(costs)
        digits = next(digits for digits, seconds in enumerate(costs) if seconds <= good)
        return ANY if all(math.isinf(seconds) for seconds in costs[digits + 1 :]) else 2**digits - 1

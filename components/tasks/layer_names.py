"""Names of layers that are the same in every process."""


class LayerNames:
    """Hands out layer names that are the same in every process and collide with no input.

    Keras numbers unnamed layers by process-wide counters; and a data set may well have a column called ``dense_1``.
    """

    def __init__(self, taken: set[str]) -> None:
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        """``name``, or ``name`` with underscores where it is taken."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

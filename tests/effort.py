"""How many examples a property test tries: few that tell in `make test`, many more in `make nightly`."""

import os

NIGHTLY = "KILNWORKS_NIGHTLY" in os.environ
"""`make nightly` sets it."""


def tries(few: int, night: int = 10) -> int:
    """So many examples; ``night`` times as many in `make nightly`."""
    return few * night if NIGHTLY else few

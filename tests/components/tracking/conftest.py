"""Lets the tracking tests use the invented run of the report's tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "reporting"))

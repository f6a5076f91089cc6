"""The command line: ``python -m pipelines``, also installed as ``kilnworks``."""

import sys

from pipelines.cli.app import main

if __name__ == "__main__":
    sys.exit(main())

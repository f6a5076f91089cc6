"""The command line: ``python -m kilnworks``, also installed as ``kilnworks``."""

import sys

from kilnworks.pipelines.cli.app import main

if __name__ == "__main__":
    sys.exit(main())

"""In a clone, ``python -m pipelines`` is ``python -m kilnworks``."""

import sys

from kilnworks.pipelines.cli.app import main

if __name__ == "__main__":
    sys.exit(main())

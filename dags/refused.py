"""The name of ``import_errors`` in ``dags/kilnworks_refused.py`` of projects that ``kilnworks init`` of 0.1.0 made."""

from kilnworks.dags.import_errors import *  # noqa: F403

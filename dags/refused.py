"""What ``dags/kilnworks_refused.py`` asks for, as Airflow reads it, in projects that ``init`` of 0.1.0 made."""

from kilnworks.dags.import_errors import *  # noqa: F403

"""Airflow finds here every DAG of every pipeline definition, and the one that keeps the store in order.

A definition that does not load is left out here and named by ``import_errors.py``: it takes no other DAG with it.
"""

from kilnworks.dags.definitions import all_dags

globals().update(all_dags())

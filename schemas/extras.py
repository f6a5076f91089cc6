"""Which extra of the distribution brings a package, and what is said where the package is missing.

``pip install kilnworks`` reads a store, loads definitions and asks servers. What else somebody needs is named:
``pip install 'kilnworks[train]'``. The extras themselves are in ``pyproject.toml``; a test holds this table against it.
"""

from collections.abc import Mapping

from kilnworks.schemas.errors import ExtraMissing

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "great_expectations": ("data",),
    "pyarrow": ("data",),
    "sklearn": ("data",),
    "scipy": ("data",),
    "sqlalchemy": ("data", "postgres"),
    "threadpoolctl": ("data",),
    "pandas": ("data",),
    "PIL": ("data",),
    "tensorflow": ("train", "serve"),
    "keras": ("train",),
    "gymnasium": ("train",),
    "tensorflow_datasets": ("train",),
    "tensorflow_serving": ("train", "serve"),
    "tensorflow_metadata": ("train",),
    "tensorboard": ("train",),
    "ml_dtypes": ("train", "serve"),
    "optuna": ("train",),
    "grpc_health": ("serve",),
    "httptools": ("serve",),
    "airflow": ("airflow",),
    "psycopg2": ("postgres",),
    "asyncpg": ("postgres",),
    "mlflow": ("mlflow",),
    "pyspark": ("spark",),
    "keras_hub": ("hub",),
}
"""Module that ours import -> the extras that bring it, the usual one first."""

ALONE = ("data", "train", "serve", "airflow", "postgres", "mlflow", "spark", "hub")
"""Every extra but ``all`` and ``dev``, which hold others."""


def missing_extra(error: BaseException, who: str) -> ExtraMissing | None:
    """What to say of a module that is not installed; None where no extra brings it.

    Args:
        error: that was raised; only a ``ModuleNotFoundError`` is of this kind.
        who: needs it, e.g. ``kilnworks serve``. An extra whose name is one of its words goes before the others.
    """
    module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if module not in EXTRAS:
        return None
    extra = next((name for name in EXTRAS[module] if name in who.split()), EXTRAS[module][0])
    return ExtraMissing(
        f"{who} needs {module}, which is not installed",
        f"the extra {extra!r}",
        f"pip install 'kilnworks[{extra}]'",
        {"extra": extra, "module": module},
    )

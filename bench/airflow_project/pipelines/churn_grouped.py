"""The churn pipeline as it is: the steps that need TensorFlow are one task."""

from dataclasses import replace

from kilnworks.pipelines.core.registry import load

CHURN_GROUPED = replace(load("churn"), name="churn_grouped", schedule=None)

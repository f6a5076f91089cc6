"""What a search came to, as plain values: trials, the best one, what it gained, which settings mattered."""

import time
from typing import Any

from kilnworks.pipelines.core.space import Space, trained_step
from kilnworks.pipelines.tuning.study import Study, finished
from kilnworks.schemas.artifacts import Examples, Model
from kilnworks.schemas.errors import StoreError

FEWEST_FOR_IMPORTANCE = 8
"""Finished trials from which the importance of settings is told."""


def results(study: Study, space: Space) -> dict[str, Any]:
    """Everything that the page of a search shows. Raises ``StepFailed`` where no trial has finished."""
    best = finished(study)
    return {
        **best,
        "pipeline": study.pipeline,
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "search": study.record["search"],
        "space": study.record["space"],
        "declared": space.declared,
        "trials": [_trial(study, trial) for trial in study.trials()],
        "importance": importance(study),
        "gain": gain(study, space, best),
    }


def _trial(study: Study, trial: Any) -> dict[str, Any]:
    state = {"COMPLETE": "done", "PRUNED": "stopped", "FAIL": "failed"}.get(trial.state.name, "running")
    default = bool(trial.user_attrs.get("default"))
    return {
        "number": trial.number,
        "state": state,
        "default": default,
        "value": trial.value if state == "done" else None,
        "epochs": trial.last_step,
        "last": None if trial.last_step is None else trial.intermediate_values[trial.last_step],
        "settings": dict(trial.user_attrs.get("overrides", {})),
        "params": dict(trial.params),
        "reason": trial.user_attrs.get("reason", ""),
        "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 1),
        "run_id": study.run_id(trial.number),
    }


def importance(study: Study) -> dict[str, float]:
    """Share of the objective's variance by setting (fANOVA, Hutter et al. 2014); empty with few trials."""
    import optuna

    done = [t for t in study.trials() if t.state.name == "COMPLETE" and t.params]
    shared = set.intersection(*(set(t.params) for t in done)) if done else set()
    names = [name for name in study.record["space"] if name in shared and len({str(t.params[name]) for t in done}) > 1]
    if len(done) < FEWEST_FOR_IMPORTANCE or not names or len({t.value for t in done}) < 2:
        return {}
    judge = optuna.importance.FanovaImportanceEvaluator(seed=0)
    copied = optuna.create_study(direction="minimize" if study.record["direction"] == "min" else "maximize")
    copied.add_trials(done)
    found = optuna.importance.get_param_importances(copied, evaluator=judge, params=names)
    return {name: float(share) for name, share in found.items()}


def gain(study: Study, space: Space, best: dict[str, Any]) -> dict[str, Any] | None:
    """What the best trial gained over the definition's settings on the validation rows; None where one is missing."""
    from kilnworks.components.challenging.trained import trained_gain

    default = next((t.number for t in study.trials() if t.user_attrs.get("default") and t.value is not None), None)
    if default is None or default == best["trial"]:
        return None
    step, run = trained_step(space.pipeline), study.store.run(study.pipeline, study.run_id(default))
    source = next(
        name for p, name in step.inputs.items()
        if isinstance(name, str) and issubclass(space.pipeline[name].signature.result, Examples)
    )  # fmt: skip
    try:
        examples = run.load(source, space.pipeline[source].signature.result)
        assert isinstance(examples, Examples)
        before = Model(run.load(step.name, Model).path)
        now = Model(study.store.run(study.pipeline, best["run_id"]).load(step.name, Model).path)
    except StoreError:
        return None
    if "val" not in examples.splits or not examples.rows("val"):
        return None
    measured = trained_gain(before, now, examples, "val")
    if measured is None:
        return None
    metric, old, new, found = measured
    return {
        "metric": metric.name, "title": metric.title, "before": old, "now": new, "gain": found.value,
        "low": found.low, "high": found.high, "method": found.method, "rows": examples.rows("val"),
    }  # fmt: skip

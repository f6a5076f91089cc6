"""The phases of a training, from a snapshot or from the start.

::

    for each phase:  prepare -> compile -> epochs of blocks of steps
                     after each epoch: judge, plateau, stopping, the user's callbacks, history, progress, backup
    weights of the best epoch of all phases -> the model
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from kilnworks.components.learning import callbacks as cb
from kilnworks.components.learning.backup import Backup, Snapshot
from kilnworks.components.learning.epochs import run_epochs
from kilnworks.components.learning.health.callback import Health
from kilnworks.components.learning.loop import BlockFunction, LossNotFinite, parts
from kilnworks.components.learning.own.other_callbacks import refuse_two_schedules, without_old_backups
from kilnworks.components.learning.own.parts import compile_model
from kilnworks.components.learning.prefetch import Prefetch
from kilnworks.components.learning.rounds.budget import Budget
from kilnworks.components.learning.rounds.likely import likely_end
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.learning.splits import Splits
from kilnworks.components.learning.state import State, assign, optimizers_of
from kilnworks.components.learning.strategy import Placement, precision
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import TrainingDiverged

VALUES_PER_EXECUTION = 2**22
"""Encoded values that one call on one device handles: enough steps to hide Python, few enough to report progress."""
LONGEST_EXECUTION = 256
"""Steps of one call at most."""
CHOOSING = 0.5
"""Share of a budget of time in which the best epoch is found, where networks on all rows come behind it."""
UNJUDGED = 0.5
"""Share of that after which phases end of which no epoch may be the best one: the others need the rest."""


@dataclass
class Training:
    """A learner, and what it is trained with.

    Attributes:
        settings: of the training.
        task: what is learned.
        placement: the devices.
        splits: the data.
        learner: what trains.
        mode: whether the monitored number is to be small or large.
        callbacks: of the user, for every phase.
        lengths: epochs of each phase, where they are known; the weights of the last one are then kept.
    """

    settings: FitSettings
    task: Task
    placement: Placement
    splits: Splits
    learner: Learner
    mode: cb.Mode
    callbacks: Sequence[Any] = ()
    lengths: Sequence[int] = ()
    measured: Callable[[Phase], Callable[[], dict[str, float]] | None] | None = None
    """Makes of a phase the function that measures the validation split; None without one."""
    tried: Callable[[Any], None] | None = None
    """Called with what a phase trains once it is compiled, before its first epoch."""
    sent: set[str] = field(default_factory=set)
    """Inputs that come as they are sent, with NaN where a number is missing."""
    ahead: cb.Ahead | None = None
    """What is done and what is likely to come, of epochs; by default as far as early stopping is likely to let it go,
    and the networks on all rows behind it."""
    began: float | None = None
    """``time.perf_counter()`` from which a budget counts; None for the first epoch."""
    first: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        feed, s = self.splits.feed, self.settings
        wanted = s.steps_per_execution or steps_per_execution(self.learner.model, feed.batch // self.placement.replicas)
        self.block = min(wanted, feed.longest_block)
        self.jit = jit(s, self.placement)
        self._theirs = {id(p.trained) for p in self.learner.phases if getattr(p.trained, "compiled", False)}
        self._lengths = list(self.lengths) or [phase.epochs or s.epochs for phase in self.learner.phases]
        self.budget = Budget(60 * s.budget_minutes) if s.budget_minutes else None

    def go(self, out: Path, context: RunContext, identity: str) -> None:
        """Run the epochs that are left; the model ends with the weights of the best one.

        Raises:
            TrainingDiverged: a loss is not finite.
        """
        backup = Backup(context.work, identity)
        found = backup.load() if self.settings.backup_epochs else None
        judge = cb.Last if self.lengths else cb.Judge
        judged = self.learner.model.variables
        self.judge = judge(judged, monitor=self.settings.monitor, mode=self.mode, latest=self.learner.latest)
        self.history = cb.History(out / "history.csv")
        epochs, steps = sum(self._lengths), self.splits.feed.steps
        self.report = cb.Report(context.progress, epochs, steps, self._unjudged, self.ahead or self._ahead)
        looks = self.settings.health if not self.lengths else "none"
        self.health = None if looks == "none" else Health(out / "health.json", looks == "every")
        self.first = found.epoch if found else 0
        start = time.perf_counter()
        if self.budget and self.began is not None:
            self.budget.prepared(start - self.began)
        for number, phase in enumerate(self.learner.phases):
            if not self._lengths[number] or (self.budget and self.budget.over and self.judge.best_epoch):
                break
            if self.budget:
                choosing = CHOOSING if self.settings.refit and not self.lengths else 1.0
                self.budget.share = choosing * (1.0 if self._counts(number) else UNJUDGED)
            if id(phase.trained) not in self._theirs:
                phase.trained.compiled = False  # by an earlier phase
            phase.prepare()
            if found is None or number >= found.phase:
                at_it = found if found and number == found.phase else None
                self._phase(number, phase, out, context, backup, at_it)
        self.seconds = time.perf_counter() - start
        self.history.write()
        assign(self.learner.model.variables, self.judge.best_weights)
        if self._is_early and not self.lengths:
            self.report.on_early_end(self.settings.monitor, self.judge.best_epoch)

    @property
    def _is_early(self) -> bool:
        return len(self.history.rows) < sum(self._lengths)

    @property
    def spent(self) -> float:
        """Seconds of its epochs and of what came before them, also before a kill, where there is a budget; else of
        this process.
        """
        return self.budget.spent if self.budget else self.seconds

    @property
    def pace(self) -> float:
        """Seconds of an epoch so far."""
        epochs = len(self.history.rows)
        return self.budget.pace(epochs) if self.budget else self.seconds / epochs

    def _ahead(self, done: float, ended: bool) -> tuple[float | None, float | None]:
        """What is done and what is likely to come, in epochs of the training rows."""
        stopping, refit, most = self.settings.early_stopping, self.settings.refit, sum(self._lengths)
        if len(self._lengths) > 1 or not (stopping or refit):
            return None, None
        best, end = self.judge.best_epoch, float(most)
        likely_best = float(best) if done >= most else end
        if stopping:
            end, likely_best = likely_end(done, best, stopping.patience, most)
        if ended:
            end, likely_best = done, float(best)
        left = end - done + refit * self.splits.both * likely_best
        if self.budget and self.history.rows:
            left = min(left, max(0.0, 60 * (self.settings.budget_minutes or 0) - self.budget.spent) / self.pace)
        return done, left

    def _unjudged(self) -> int:
        aside = {phase.name for number, phase in enumerate(self.learner.phases) if not self._counts(number)}
        return sum(self.settings.monitor not in row or row.get("phase") in aside for row in self.history.rows)

    def _counts(self, number: int) -> bool:
        """Whether an epoch of a phase may be the best one; those of the last phase may always."""
        return self.learner.phases[number].judged or number == len(self.learner.phases) - 1

    def _phase(
        self, number: int, phase: Phase, out: Path, context: RunContext, backup: Backup, found: Snapshot | None
    ) -> None:
        begins = found.begins if found else len(self.history.rows)
        ends = begins + self._lengths[number]
        if number:
            keras.utils.set_random_seed((self.settings.seed + number) % 2**32)
        self._compile(phase, self._lengths[number])
        if self.tried:
            self.tried(phase.trained)
        feed, strategy = self.splits.feed, self.placement.strategy
        train = BlockFunction(phase.trained, feed, strategy, jit=self.jit)
        chosen = self._callbacks(number, begins, out, context)
        if self.settings.backup_epochs:
            without_old_backups(self.callbacks)
            every, others = self.settings.backup_epochs, tuple(chosen)
            kept = (lambda: self._state(phase, train), feed)
            chosen.append(cb.BackUp(backup, every, (number, begins), kept, others, found))
        first = found.epoch if found else begins
        epochs = range(first, first if found and found.finished else ends)
        try:
            blocks = parts(feed.blocks(epochs, self.block), strategy)
            with nullcontext(blocks) if feed.synchronous else Prefetch(blocks) as ready:
                run_epochs(
                    phase.trained, train, ready, chosen, feed=feed, epochs=epochs, block=self.block, strategy=strategy
                )
        except LossNotFinite as error:
            raise self._diverged(error) from None

    def _compile(self, phase: Phase, epochs: int) -> None:
        """Optimizer, loss and metrics of the phase, on the replicas."""
        s, model = self.settings, phase.trained
        rate: Any = s.optimizer.learning_rate * phase.rate
        if s.schedule:
            rate = s.schedule.build(rate, self.splits.feed.steps, epochs)
        with precision(s.precision), self.placement.scope():
            compile_model(s, model, self.task, rate, jit=self.jit)
            if model.built and model.optimizer is not None:
                model.optimizer.build(model.trainable_variables)
            for name, optimizer in phase.optimizers.items():
                made = optimizer.build(optimizer.learning_rate * phase.rate)
                setattr(model, name, made)
                if hasattr(model, "moved_by"):
                    made.build(model.moved_by(name))

    def _state(self, phase: Phase, train: BlockFunction) -> State:
        with self.placement.scope():
            touched = train.traced()
        models = (self.learner.model, phase.trained, *self.learner.kept)
        return State(self.placement.strategy, models, tuple(optimizers_of(phase.trained).values()), touched)

    def _callbacks(self, number: int, begins: int, out: Path, context: RunContext) -> list[Any]:
        """In the order in which they act at the end of an epoch: those of the user see the validation's numbers."""
        s, phases = self.settings, self.learner.phases
        phase, several = phases[number], len(phases) > 1
        refuse_two_schedules(s, self.callbacks)
        last, counts = number == len(phases) - 1, self._counts(number)
        self.judge.watch(self.measured(phase) if self.measured else None, self.callbacks, last, counts)
        self.history.phase = self.report.phase = phase.name if several else None
        chosen: list[Any] = [self.judge]
        if s.reduce_on_plateau and counts:
            chosen.append(cb.Plateau(s.reduce_on_plateau, s.monitor, self.mode))
        if s.early_stopping and counts:
            chosen.append(cb.Stopping(s.early_stopping, s.monitor, self.mode, begins))
        if self.budget:
            chosen.append(self.budget)
        if self.health:
            self.health.watch(phase.trained, self.splits.feed, self.placement.strategy is not None, number)
            chosen.append(self.health)
        chosen += [*self.callbacks, self.history, self.report]
        if s.checkpoints != "none":
            folder = context.work / "checkpoints"
            chosen.append(cb.Checkpoints(self.learner.model, folder, s.checkpoints, s.monitor, self.mode))
        if s.tensorboard:
            chosen.append(keras.callbacks.TensorBoard(str(out / "tensorboard"), histogram_freq=1, write_graph=False))
        return chosen

    def _diverged(self, error: LossNotFinite) -> TrainingDiverged:
        epoch, step = self.report.epoch + 1, self.report.step + error.step + 1
        broken = self.splits.feed.not_finite()
        hint = "lower optimizer.learning_rate, set optimizer.clip, or start with a warm-up"
        names = ", ".join(map(repr, broken))
        if self.sent & set(broken):
            hint = f"let the first layers of the model replace NaN, which is sent where {names} is missing; or {hint}"
        elif broken:
            hint = f"the encoded input {names} holds NaN or infinite numbers: check the data"
        name = "the loss" if error.name == "loss" else error.name
        return TrainingDiverged(
            f"{name} is {error.loss} at step {step} of {self.splits.feed.steps} in epoch {epoch}",
            "a finite loss at every step",
            hint,
            {"epoch": epoch, "step": step, "not_finite": broken},
        )

    def best_lengths(self) -> list[int]:
        """Epochs of each phase until the best one: none of the phases after it."""
        names, rows = [p.name for p in self.learner.phases], self.history.rows
        done = [row.get("phase", names[0]) for row in rows[: self.judge.best_epoch]]
        return [done.count(name) for name in names]

    def best_now(self) -> dict[str, float]:
        """The validation's numbers of the best epoch, of the model as it is now; those that are not defined left out.

        Others than the history has where the trained model was changed behind its epochs, as by ``rounds.weighed``.
        """
        measure = self.measured(self.learner.phases[-1]) if self.measured else None
        return {f"val_{k}": v for k, v in measure().items() if math.isfinite(v)} if measure else {}

    def summary(self) -> dict[str, Any]:
        """What happened, for ``training.json``. Numbers of the best epoch that are not defined are left out."""
        rows, feed, done = self.history.rows, self.splits.feed, len(self.history.rows) - self.first
        best = next(row for row in rows if row["epoch"] == self.judge.best_epoch)
        validation = self.splits.validation
        phases = [{"name": p.name, "epochs": n} for p, n in zip(self.learner.phases, self._lengths, strict=True)]
        return {
            "seed": self.settings.seed,
            "strategy": self.placement.name,
            "replicas": self.placement.replicas,
            "device": self.placement.kind,
            "placement": self.placement.why,
            "precision": self.settings.precision,
            "batch": feed.batch,
            "steps_per_epoch": feed.steps,
            "steps_per_execution": self.block,
            "jit_compile": self.jit,
            "streamed": self.splits.streamed,
            "rows": {"train": feed.rows, "val": validation.split_rows if validation else 0},
            "rows_validated": validation.rows if validation else 0,
            "parameters": int(self.learner.model.count_params()),
            "epochs_run": len(rows),
            "resumed_after": self.first,
            "stopped_early": self._is_early,
            "monitor": self.settings.monitor,
            "best_epoch": self.judge.best_epoch,
            "best": {k: v for k, v in best.items() if k not in {"epoch", "phase"} and math.isfinite(v)},
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(done * feed.steps * feed.batch / self.seconds, 1) if done else 0.0,
            "phases": phases,
            **({"budget": self.budget.summary()} if self.budget else {}),
        }


def jit(settings: FitSettings, placement: Placement) -> bool:
    """Whether XLA compiles the step."""
    if settings.jit_compile is not None:
        return settings.jit_compile
    return placement.kind == "gpu" and placement.replicas == 1 and not settings.deterministic_gpu


def steps_per_execution(model: Any, batch: int) -> int:
    """Steps of one call, 1 to ``LONGEST_EXECUTION``, by the rows of a ``batch`` on one device."""
    values = batch * sum(math.prod(i.shape[1:]) for i in model.inputs)
    return max(1, min(LONGEST_EXECUTION, VALUES_PER_EXECUTION // values))

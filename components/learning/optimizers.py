"""Optimizers and the course of the learning rate. This module imports no Keras until it builds something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from kilnworks.schemas.code import Code
from kilnworks.schemas.config import Config, accept_any


class Clip(Config):
    """A limit on the gradient of the whole batch, of which the replicas each see a part."""

    by: Literal["norm", "global_norm", "value"] = "global_norm"
    """``norm``: the norm of each variable's gradient; ``global_norm``: of all of them together (Pascanu et al.
    2013); ``value``: each number."""
    limit: float = Field(gt=0)
    """Largest norm or absolute value."""


class Schedule(Config):
    """Linear warm-up, then half a cosine down (Loshchilov & Hutter 2017), step by step."""

    kind: Literal["cosine"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs in which the rate rises from 0 to the optimizer's ``learning_rate``; may be a fraction."""
    final: float = Field(default=0.0, ge=0, le=1)
    """Rate at the last step, as a share of ``learning_rate``."""

    def build(self, learning_rate: float, steps_per_epoch: int, epochs: int) -> Any:
        """The Keras schedule over ``epochs * steps_per_epoch`` steps."""
        import keras

        warmup = round(self.warmup_epochs * steps_per_epoch)
        decay = max(1, epochs * steps_per_epoch - warmup)
        if not warmup:
            return keras.optimizers.schedules.CosineDecay(learning_rate, decay, alpha=self.final)
        return keras.optimizers.schedules.CosineDecay(
            0.0, decay, alpha=self.final, warmup_target=learning_rate, warmup_steps=warmup
        )


class Optimizer(Config, ABC):
    """Settings that all optimizers share."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """Step size; the highest one where a schedule is set."""
    clip: Clip | None = None
    """Gradient clipping; means the same on any number of replicas."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Momentum of an exponential moving average of the weights; validation and the saved model then use the
    average."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are averaged into one update."""

    def build(self, rate: Any) -> Any:
        """The Keras optimizer; ``rate`` is a number or a Keras schedule.

        Clipping goes through ``clipping.clipped``, except with accumulation (one replica only), where Keras clips the
        accumulated gradient itself.
        """
        options: dict[str, Any] = {"learning_rate": rate, **self.options()}
        if self.ema is not None:
            options |= {"use_ema": True, "ema_momentum": self.ema}
        if self.accumulate > 1:
            options["gradient_accumulation_steps"] = self.accumulate
            if self.clip:
                options[{"norm": "clipnorm", "global_norm": "global_clipnorm", "value": "clipvalue"}[self.clip.by]] = (
                    self.clip.limit
                )
        elif self.clip:
            from kilnworks.components.learning.clipping import clipped

            return clipped(self.keras_class(), self.clip.by, self.clip.limit)(**options)
        return self.keras_class()(**options)

    @abstractmethod
    def keras_class(self) -> Any:
        """The Keras class of this optimizer."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Arguments of the Keras class besides those of every optimizer."""


class Sgd(Optimizer):
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=0.01, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Share of the last update that is added to the next one."""
    nesterov: bool = False
    """Whether the gradient is taken where the momentum leads (Nesterov 1983)."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def keras_class(self) -> Any:
        """``keras.optimizers.SGD``."""
        import keras

        return keras.optimizers.SGD

    def options(self) -> dict[str, Any]:
        """Momentum and its kind."""
        return {"momentum": self.momentum, "nesterov": self.nesterov}


class RmsProp(Optimizer):
    """Gradients divided by a running root mean square (Hinton 2012)."""

    kind: Literal["rmsprop"] = "rmsprop"
    rho: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of the mean square."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Share of the last update that is added to the next one."""
    epsilon: float = Field(default=1e-7, gt=0)
    """Added to the root mean square, so that nothing is divided by 0."""

    def keras_class(self) -> Any:
        """``keras.optimizers.RMSprop``."""
        import keras

        return keras.optimizers.RMSprop

    def options(self) -> dict[str, Any]:
        """Momentums and epsilon."""
        return {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}


class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    beta_1: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of the mean of the gradients."""
    beta_2: float = Field(default=0.999, ge=0, lt=1)
    """Momentum of the mean of their squares."""
    epsilon: float = Field(default=1e-7, gt=0)
    """Added to the root of that mean, so that nothing is divided by 0."""

    def keras_class(self) -> Any:
        """``keras.optimizers.Adam``."""
        import keras

        return keras.optimizers.Adam

    def options(self) -> dict[str, Any]:
        """Momentums and epsilon."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class AdamW(Optimizer):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    weight_decay: float = Field(default=0.004, ge=0)
    """Share of each weight taken off a step, times the learning rate."""
    beta_1: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of the mean of the gradients."""
    beta_2: float = Field(default=0.999, ge=0, lt=1)
    """Momentum of the mean of their squares."""
    epsilon: float = Field(default=1e-7, gt=0)
    """Added to the root of that mean, so that nothing is divided by 0."""

    def keras_class(self) -> Any:
        """``keras.optimizers.AdamW``."""
        import keras

        return keras.optimizers.AdamW

    def options(self) -> dict[str, Any]:
        """Decay, momentums and epsilon."""
        return {
            "weight_decay": self.weight_decay,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


class OwnOptimizer(Optimizer):
    """A Keras optimizer of a user's own."""

    kind: Literal["own"] = "own"
    make: Code
    """``"my_project.optimizers:lion"``: an optimizer, or a class or function that makes one; ``learning_rate`` is given
    where it has such a parameter."""

    @model_validator(mode="after")
    def _is_set_by_itself(self) -> Self:
        foreign = sorted(self.model_fields_set & {"clip", "ema", "accumulate"})
        if foreign:
            raise ValueError(f"{self.make.path} makes a whole optimizer; set {', '.join(foreign)} there")
        return self

    def build(self, rate: Any) -> Any:
        """What ``make`` gives."""
        from kilnworks.components.learning.own.made import own_optimizer

        return own_optimizer(self.make, rate)

    def keras_class(self) -> Any:
        """Whatever ``make`` names."""
        return self.make.load()

    def options(self) -> dict[str, Any]:
        """Those of ``make``."""
        return dict(self.make.options)


def _own(value: Any) -> Any:
    """``module:name``, with options or without, as an optimizer of one's own."""
    is_code = isinstance(value, Code) or (isinstance(value, str) and ":" in value)
    return {"kind": "own", "make": value} if is_code or (isinstance(value, dict) and "path" in value) else value


AnyOptimizer = Annotated[
    Sgd | RmsProp | Adam | AdamW | OwnOptimizer,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Optimizer),
    BeforeValidator(_own),
]
"""Settings of any optimizer: ``{"kind": "adam", "learning_rate": 0.001}``, an object of any subclass, or the code of a
Keras optimizer, ``"my_project.optimizers:lion"``."""

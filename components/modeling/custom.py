"""A Keras model of a user's own, built by a function of a project: connected to the data, and to the task.

::

    encoded or raw tensors  ->  the user's model  ->  its head, its logits or its features  ->  answer of the task
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.connecting import answer, arranged, told
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.code import Code, Options, called
from kilnworks.schemas.errors import ConfigError, KilnworksError

OWN = frozenset({"kind", "build", "options", "inputs", "outputs"})
USER, ARRANGED = "user_model", "arranged_inputs"
"""Attributes of the saved model while it trains: the user's own model, and how that is fed."""


class CustomModel(Architecture):
    """Whatever ``build`` returns: Functional, Sequential or subclassed, compiled or not.

    ``build`` is called with its ``options`` and with those of these that it has parameters for: ``inputs`` (a dict of
    ``keras.Input`` by name, in the order of the data), ``encoded`` (name, shape, dtype and kind of each), ``columns``
    (by name, the training rows [rows, ...] to ``adapt`` layers to, read when asked for), ``task`` and ``outputs``
    (width of the answer: classes of a multiclass label, else 1). What it compiled is kept, unless a setting of the
    training says otherwise.

    Tensors [N, ...] in; the answer, logits [N, K] or features [N, F] out. Use it for a network that none of the
    others is.
    """

    takes: ClassVar[frozenset[str] | None] = None

    kind: Literal["custom"] = "custom"
    build: Code
    """The function or class, ``"my_project.models:build_model"``."""
    options: Options = Field(default_factory=dict)
    """Arguments of ``build``. A file is ``{"kind": "bytes", "path": "..."}``."""
    inputs: Literal["encoded", "raw"] = "encoded"
    """What the model takes: what the preprocessing makes, or every feature as a client sends it (texts, NaN where a
    number is missing), for a model with preprocessing layers of its own."""
    outputs: Literal["head", "logits", "features"] = "head"
    """What the model gives: probabilities or values; the same before sigmoid or softmax; or features [N, F], to which
    the head of the task is attached."""

    _columns: Mapping[str, Any] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _decides_by_itself(self) -> Self:
        fields = type(self).model_fields
        foreign = sorted(n for n in self.model_fields_set - OWN if getattr(self, n) != fields[n].default)
        if foreign and type(self) is CustomModel:
            raise ValueError(f"the layers of {self.build.path} are its own; give {', '.join(foreign)} in options")
        return self

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """The fitted one, or none at all in front of a model that takes raw inputs."""
        return fitted.as_sent() if self.inputs == "raw" else fitted

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with these training rows at hand."""
        seeing = self.model_copy()
        seeing._columns = columns
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """The user's model between named inputs and the answer of the task.

        Raises:
            ConfigError: it is no Keras model, or does not fit; the message says both sides.
        """
        import keras

        self.refuse_unread(encoded)
        user = self._built(encoded, task)
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        names = LayerNames({*inputs, user.name})
        arrange = arranged(user, encoded, self.build.path)
        output = _applied(user, arrange(inputs), encoded, self.build.path)
        model = keras.Model(inputs, answer(output, self._outputs(user), task, names, self.build.path), name="custom")
        note(model, user, arrange)
        return model

    def training(self, model: Any, task: Task) -> Any:
        """The user's model itself where it says how it is trained, by ``compile`` or a ``train_step``; else a twin."""
        user = model.__dict__[USER]
        return user if self._trains_itself(user) else super().training(model, task)

    def fed(self, model: Any) -> Callable[[dict[str, Any]], Any]:
        """The tensors as the user's model takes them, where that is what is trained."""
        user = model.__dict__[USER]
        arrange: Callable[[dict[str, Any]], Any] = model.__dict__[ARRANGED]
        return arrange if self._trains_itself(user) else super().fed(model)

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Not used: the model is connected whole."""
        raise NotImplementedError(f"{self.build.path} is connected by network()")

    def _built(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        import keras

        given = {
            "inputs": {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded},
            "encoded": tuple(encoded),
            **({"columns": self._columns} if self._columns is not None else {}),
            "task": task,
            "outputs": task.outputs,
        }
        function = self.build.load()
        try:
            made = called(function, self.build.path, {**self.build.options, **self.options}, given)
        except KilnworksError:
            raise
        except Exception as error:
            raise ConfigError(
                f"{self.build.path} raises {type(error).__name__}: {str(error).strip()[:500]}",
                f"a keras.Model for {told(encoded)}",
                "mend that function; --traceback in front of the command shows the line",
            ) from error
        if not isinstance(made, keras.Model):
            raise ConfigError(
                f"{self.build.path} returns {type(made).__name__}", "a keras.Model", "return the model that it builds"
            )
        return made

    def _trains_itself(self, user: Any) -> bool:
        import keras

        own = any(getattr(type(user), n) is not getattr(keras.Model, n) for n in ("train_step", "compute_loss"))
        return self.outputs != "features" and (bool(user.compiled) or own)

    def _outputs(self, user: Any) -> Literal["head", "logits", "features"]:
        """What the model gives; one that was compiled with a loss of logits says so itself."""
        logits = user.compiled and getattr(user.loss, "from_logits", False)
        return "logits" if logits and self.outputs == "head" else self.outputs


def note(model: Any, user: Any, arrange: Callable[[dict[str, Any]], Any]) -> None:
    """Note the user's model and how it is fed, without letting Keras track either a second time."""
    model.__dict__[USER], model.__dict__[ARRANGED] = user, arrange


def _applied(user: Any, given: Any, encoded: Sequence[EncodedTensor], path: str) -> Any:
    """The output of the user's model. Raises ``ConfigError`` that says what it was given."""
    try:
        return user(given)
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise ConfigError(
            f"{path} cannot be called with these inputs: {type(error).__name__}: {str(error).strip().splitlines()[0]}",
            f"a model that takes {told(encoded)}",
            "give its inputs these names, shapes and dtypes, or build it from the parameter 'inputs'",
        ) from error

"""Generative adversarial networks: images out of noise, of a class if there are classes.

::

    features    a small classifier learns the training rows: its features say how far made images are from real ones
    adversarial generator against critic; after each epoch that distance, by which the best epoch is chosen
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from kilnworks.components.features.encoded import IMAGE, EncodedTensor
from kilnworks.components.modeling.base import Architecture, Normalization, scope_name
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.generation.generation import CLASS, SEED, Generation
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension, Float

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.generative.networks import CriticNormalization
    from kilnworks.schemas.contract import Contract

SMALLEST = 4
"""Side of an image, at least."""
UNUSED = ("l1", "l2", "embedding_size")
"""Settings of other architectures that nothing here would look at."""
RATES = Float(low=5e-5, high=2e-3, log=True)
"""Of both learning rates, in the spaces."""
BATCH = (
    "no batch normalization in the critic: it ties the rows of a batch together, and a score, its gradient and the "
    "penalty on it are of one image; use layer, spectral or none"
)


class Gan(Architecture, ABC):
    """What both share: the networks, the average of the generator, and how epochs are judged."""

    task: ClassVar[type[Task] | None] = Generation
    takes: ClassVar[frozenset[str] | None] = frozenset({IMAGE})
    by_optimizer: ClassVar[bool] = False

    noise: int = Field(default=64, ge=1, le=4096)
    """How many numbers a seed has."""
    filters: int = Field(default=32, ge=1, le=512)
    """Channels of the layer next to the image; twice as many at each halving of its sides, at most 512."""
    conditional: bool | None = None
    """Whether a class is asked for; by default where the contract has a label."""
    normalization: Normalization = "batch"
    """Between the generator's layers and their activations."""
    generator_rate: float = Field(default=2e-4, gt=0)
    """Learning rate of the generator."""
    critic_rate: float = Field(default=2e-4, gt=0)
    """Learning rate of the critic."""
    average: float = Field(default=0.995, ge=0, lt=1)
    """Share of the averaged generator that stays at a step; that is what is judged, saved and served."""
    judge_features: int = Field(default=32, ge=2, le=1024)
    """Features that are compared."""
    judge_epochs: int = Field(default=15, ge=1)
    """Epochs in which the network learns whose features are compared, where there is a label."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "generator_rate": RATES,
        "critic_rate": RATES,
        "filters": Choice(values=(16, 32, 64)),
    }

    _brightest: float = PrivateAttr(default=255.0)
    _rows: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _nothing_is_unused(self) -> Self:
        for name in UNUSED:
            if getattr(self, name):
                raise ValueError(f"{name} {getattr(self, name)}: nothing looks at it here; leave it out")
        return self

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """Pixels from -1 to 1, whatever ``image_scale`` says."""
        from kilnworks.components.features.kinds.image import BRIGHTEST, ImagePlan
        from kilnworks.components.features.transform import FeatureTransform

        plans = dict(fitted.plan.features)
        for name, plan in plans.items():
            if isinstance(plan, ImagePlan):
                self._brightest = float(fitted.contract.features[name].max or BRIGHTEST)
                plans[name] = plan.model_copy(update={"factor": 2 / self._brightest, "offset": -1.0})
        return FeatureTransform(fitted.plan.model_copy(update={"features": plans}))

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with some training rows, of which principal components are made."""
        import numpy as np

        from kilnworks.components.modeling.generative.judge import ROWS

        seeing = self.model_copy()
        seeing._brightest = self._brightest
        for name in columns:
            values = columns[name]
            seeing._rows = np.asarray(values[:: -(-len(values) // ROWS)], np.float32)
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """Seeds (and classes, as they are sent) to pixels."""
        return self.learner(encoded, task).model

    def sent(self, contract: Contract) -> Contract:
        """A seed, and the class where it is asked for."""
        told = Generation.of(contract)
        return told.made_for(self.noise, (), 1.0, self._classes(told) > 0).served(contract)

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """There is none: a GAN has no features of a row."""
        raise ConfigError(f"the trunk of {self.kind}", "a network of rows", "use another architecture")

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """A phase for the network that judges, where there is a label, and one for the two against each other.

        Raises:
            ConfigError: not one image, one that is too small, classes without a label, or float16.
        """
        from kilnworks.components.modeling.generative.judge import Epochs, Kept, classifier, components

        tensor, asked = self._image(encoded), self._classes(task)
        shape = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
        told = Generation(label=task.label).made_for(self.noise, shape, self._brightest, asked > 0)
        trained = self._adversarial(shape, asked)
        model = self._served(told, trained.average)
        phases = [Phase("adversarial", trained, optimizers=self._optimizers())]
        if task.class_texts:
            judge, learning = classifier(tensor.name, shape, len(task.class_texts), self.judge_features)
            phases.insert(0, Phase("features", learning, self.judge_epochs, judged=False))
        else:
            judge = components(tensor.name, self._rows, self.judge_features)
        kept = Kept(shape)
        epochs = Epochs(model, judge, told, kept)
        return Learner(model, tuple(phases), (judge, kept), measured=epochs.numbers, finished=epochs.finished)

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task with what a seed and an image are."""
        tell: Callable[..., Task] | None = getattr(task, "made_for", None)
        shape = transform.encoded[0].shape
        return tell(self.noise, shape, self._brightest, self._classes(task) > 0) if tell else task

    @abstractmethod
    def _rules(self) -> dict[str, Any]:
        """Loss, turns of the critic and weight of the penalty."""

    @abstractmethod
    def _optimizers(self) -> dict[str, Any]:
        """Of both networks."""

    @property
    @abstractmethod
    def _critic_normalization(self) -> CriticNormalization: ...

    def _adversarial(self, shape: tuple[int, int, int], classes: int) -> Any:
        from kilnworks.components.modeling.generative.adversarial import Adversarial
        from kilnworks.components.modeling.generative.networks import Frame, critic, generator

        frame = Frame.of(shape)
        one, average = (generator(self.noise, classes, frame, self.filters, self._normalized) for _ in range(2))
        other = critic(classes, frame, self.filters, self._critic_normalization, self.dropout)
        return Adversarial(
            one, average, other, noise=self.noise, classes=classes, momentum=self.average, **self._rules()
        )

    def _served(self, told: Generation, generator: Any) -> Any:
        """Seeds, and classes as they are sent, to pixels in the unit of the contract."""
        import keras

        inputs = {SEED: keras.Input((self.noise,), name=SEED)}
        given = [inputs[SEED]]
        if told.conditional and told.label is not None:
            whole = told.label.dtype == "int"
            inputs[CLASS] = keras.Input((), dtype="int64" if whole else "string", name=CLASS)
            given.append(_one_hot(inputs[CLASS], told, whole))
        image = generator(given)
        pixels = keras.layers.Rescaling(told.brightest / 2, told.brightest / 2, dtype="float32", name="rescaled")(image)
        flat = keras.layers.Flatten(name="flat")(pixels)
        return keras.Model(inputs, told.head(flat, LayerNames(set(inputs))), name=scope_name(self.kind))

    def _normalized(self, name: str) -> Any:
        import keras
        import tensorflow as tf

        if self.normalization == "none":
            return None
        if self.normalization == "layer":
            return keras.layers.LayerNormalization(name=name)
        several = tf.distribute.get_strategy().num_replicas_in_sync > 1
        return keras.layers.BatchNormalization(momentum=0.9, synchronized=several, name=name)

    def _image(self, encoded: Sequence[EncodedTensor]) -> EncodedTensor:
        """The one image. Raises ``ConfigError``."""
        import keras

        self.refuse_unread(encoded)
        if keras.config.dtype_policy().name == "mixed_float16":
            raise ConfigError(
                f"model {self.kind} in mixed_float16",
                "float32 or mixed_bfloat16: two networks would need a scale of the loss each",
                "set precision",
            )
        if len(encoded) != 1:
            names = ", ".join(tensor.name for tensor in encoded)
            raise ConfigError(
                f"model {self.kind} of {names}", "one image", 'drop the others: FeatureSettings(encoding="drop")'
            )
        if min(encoded[0].shape[:2]) < SMALLEST:
            raise ConfigError(f"images of {encoded[0].shape[0]} x {encoded[0].shape[1]} pixels",
                              f"at least {SMALLEST} x {SMALLEST}", "use larger ones")  # fmt: skip
        return encoded[0]

    def _classes(self, task: Task) -> int:
        """How many are asked for; 0 for none."""
        found = len(task.class_texts)
        if self.conditional and not found:
            raise ConfigError(
                f"model {self.kind} with conditional=True, and no label",
                "a label with classes in the contract",
                "add one, or leave conditional out",
            )
        return found if self.conditional is not False else 0


class Dcgan(Gan):
    """A DCGAN: a seed [N, noise] (and a class [N]) in, an image [N, H, W, C] out.

    Radford, Metz & Chintala 2016, with spectral normalization (Miyato et al. 2018) in place of batch normalization in
    the critic. Use it for small images of one kind; it is the faster of the two.
    """

    kind: Literal["dcgan"] = "dcgan"
    critic_normalization: Literal["spectral", "layer", "none"] = "spectral"
    """Between the critic's layers and their activations; batch normalization is refused."""

    @field_validator("critic_normalization", mode="before")
    @classmethod
    def _by_image(cls, value: Any) -> Any:
        return _no_batch(value)

    def _rules(self) -> dict[str, Any]:
        return {"loss": "logistic", "turns": 1, "penalty": 0.0}

    def _optimizers(self) -> dict[str, Any]:
        from kilnworks.components.modeling.generative.adversarial import Descent

        return {
            "generating": Descent(self.generator_rate, 0.5, 0.999),
            "criticising": Descent(self.critic_rate, 0.5, 0.999),
        }

    @property
    def _critic_normalization(self) -> CriticNormalization:
        return self.critic_normalization


class WganGp(Gan):
    """A Wasserstein GAN with gradient penalty: a seed [N, noise] (and a class [N]) in, an image [N, H, W, C] out.

    Gulrajani et al. 2017. Use it where a DCGAN makes only some of what there is; each of its steps has several of the
    critic, on a part of the batch each, so that it wants a large batch.
    """

    kind: Literal["wgan_gp"] = "wgan_gp"
    critic_normalization: Literal["layer", "none"] = "layer"
    """Between the critic's layers and their activations; batch normalization is refused."""
    critic_steps: int = Field(default=5, ge=1, le=100)
    """Steps of the critic for each one of the generator."""
    penalty: float = Field(default=10.0, gt=0)
    """Weight of the squared distance of the critic's gradient from length 1."""

    @field_validator("critic_normalization", mode="before")
    @classmethod
    def _by_image(cls, value: Any) -> Any:
        return _no_batch(value)

    def _rules(self) -> dict[str, Any]:
        return {"loss": "difference", "turns": self.critic_steps, "penalty": self.penalty}

    def _optimizers(self) -> dict[str, Any]:
        from kilnworks.components.modeling.generative.adversarial import Descent

        return {
            "generating": Descent(self.generator_rate, 0.0, 0.9),
            "criticising": Descent(self.critic_rate, 0.0, 0.9),
        }

    @property
    def _critic_normalization(self) -> CriticNormalization:
        return self.critic_normalization


def _no_batch(value: Any) -> Any:
    if value == "batch":
        raise ValueError(BATCH)
    return value


def _one_hot(given: Any, task: Generation, whole: bool) -> Any:
    """[N, K] of classes [N] as they are sent; all 0 for one that there is not."""
    import keras

    classes = task.label.classes if task.label is not None and task.label.classes else ()
    if whole:
        known = [int(one) for one in classes]
        lookup = keras.layers.IntegerLookup(
            vocabulary=known, num_oov_indices=1, mask_token=None, oov_token=min(known) - 1, output_mode="one_hot",
            name="classes",
        )  # fmt: skip
    else:
        lookup = keras.layers.StringLookup(
            vocabulary=list(task.class_texts), num_oov_indices=1, mask_token=None, oov_token="[unknown]",
            output_mode="one_hot", name="classes",
        )  # fmt: skip
    return keras.ops.cast(lookup(given), "float32")[:, 1:]

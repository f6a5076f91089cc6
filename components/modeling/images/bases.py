"""Networks that learned to see from other images, without their heads: what they are, and where their weights are from.

======================  =========================  ======================================================
``base``                published in               weights
======================  =========================  ======================================================
``mobilenet_v2``        Sandler et al. 2018        ``imagenet``, ``.weights.h5`` of Keras, ``.pth`` of torchvision
``mobilenet_v3_small``  Howard et al. 2019         ``imagenet``, ``.weights.h5``
``mobilenet_v3_large``  Howard et al. 2019         ``imagenet``, ``.weights.h5``
``resnet50``            He et al. 2016             ``imagenet``, ``.weights.h5``
``vgg16``               Simonyan & Zisserman 2015  ``imagenet``, ``.weights.h5``
``efficientnet_b0``     Tan & Le 2019              ``imagenet``, ``.weights.h5``
``own``                 a Keras model of images    ``.keras``, or a model that the step ``finetune`` hands in
======================  =========================  ======================================================
"""

from __future__ import annotations

import urllib.error
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kilnworks.schemas.errors import ConfigError

BaseName = Literal[
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "resnet50", "vgg16", "efficientnet_b0", "own"
]
Scaling = Literal["unit", "signed", "torch", "caffe", "pixels"]
"""What a base takes, of pixels from 0 to 1: those; -1 to 1; by mean and spread of ImageNet; blue, green and red from 0
to 255 without their means; 0 to 255."""

TORCH = (".pth", ".pt")
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Of blue, green and red over ImageNet."""
HOST = "https://storage.googleapis.com/tensorflow/keras-applications/"
SECONDS = 5.0
SMALLEST = 32
"""Side of the smallest image, in pixels."""


class Published(NamedTuple):
    """A network of ``keras.applications``.

    Attributes:
        function: its name there.
        scaling: what it takes.
        file: how the names of its weights begin.
        options: of the function.
    """

    function: str
    scaling: Scaling
    file: str
    options: Mapping[str, Any] = {}


PUBLISHED: Mapping[str, Published] = {
    "mobilenet_v2": Published("MobileNetV2", "signed", "mobilenet_v2_weights"),
    "mobilenet_v3_small": Published("MobileNetV3Small", "pixels", "weights_mobilenet_v3_small"),
    "mobilenet_v3_large": Published("MobileNetV3Large", "pixels", "weights_mobilenet_v3_large"),
    "resnet50": Published("ResNet50", "caffe", "resnet50_weights"),
    "vgg16": Published("VGG16", "caffe", "vgg16_weights"),
    "efficientnet_b0": Published("EfficientNetB0", "pixels", "efficientnetb0"),
}


def scaling_of(base: BaseName, file: Path | None) -> Scaling:
    """What a base takes, by its name and by the file of its weights, if any."""
    if file is not None and file.suffix in TORCH:
        return "torch"
    return PUBLISHED[base].scaling if base in PUBLISHED else "unit"


def refuse_weights(base: BaseName, file: Path | None) -> None:
    """Raise ``ConfigError`` where a base cannot have these weights, before anything is read.

    Args:
        base: which network.
        file: of its weights; None for those that Keras publishes.
    """
    if file is None:
        _refuse_offline(base)
        return
    good = {"own": (".keras",), "mobilenet_v2": (".h5", *TORCH)}.get(base, (".h5",))
    if file.suffix not in good:
        raise ConfigError(
            f"weights {file.name} for base {base}",
            f"a file that ends in {' or '.join(good)}",
            "set base to own for a whole Keras model" if file.suffix == ".keras" else "see docs/images.md",
        )


def load_base(base: BaseName, file: Path | None, shape: tuple[int, int, int]) -> Any:
    """A Keras model from images [N, H, W, 3], as the base takes them, to its last map [N, h, w, C].

    Args:
        base: any but ``own``.
        file: of the weights; None for those that Keras publishes.
        shape: height, width and 3.

    Raises:
        ConfigError: the weights cannot be had, or are those of another network.
        DataUnreadable: the file is broken, or unsafe to read.
    """
    import keras

    if min(shape[:2]) < SMALLEST:
        raise ConfigError(
            f"images of {shape[0]} x {shape[1]} pixels for base {base}",
            f"at least {SMALLEST} x {SMALLEST}",
            "set a larger size in the preprocessing",
        )
    if file is not None and file.suffix in TORCH:
        from kilnworks.components.modeling.images.mobilenet_v2 import mobilenet_v2
        from kilnworks.components.modeling.images.torch_file import read_torch_file

        return mobilenet_v2(shape, read_torch_file(file), file.name)
    one = PUBLISHED[base]
    make = getattr(keras.applications, one.function)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`input_shape` is undefined")
        try:
            made = make(
                include_top=False, weights="imagenet" if file is None else None, input_shape=shape, **one.options
            )
        except (OSError, ValueError) as error:
            if file is None:
                raise _not_fetched(base, str(error)) from None
            raise
    if file is not None:
        _load(made, file, base)
    return made


def read_own(file: Path) -> Any:
    """A Keras model of a file, with layers of ours, and without running code that stands in it.

    Raises:
        ConfigError: it is no Keras file, or has layers of a user's own.
    """
    import keras

    # these register layers that saved models may hold
    from kilnworks.components.features import layers  # noqa: F401
    from kilnworks.components.modeling import ensemble, random_apply  # noqa: F401

    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ConfigError(
            f"{file.name} cannot be read: {str(error).strip().splitlines()[0][:200]}",
            "a .keras file of layers of Keras, without lambdas",
            "save the model with model.save('name.keras'), from layers that Keras has",
        ) from None


def last_map(model: Any, source: str) -> Any:
    """The part of a Keras model of one image [N, H, W, C] up to its last map, behind what changes images in training.

    Raises:
        ConfigError: it takes something else, or has no map.
    """
    import keras

    from kilnworks.components.modeling.images.maps import maps_of
    from kilnworks.components.modeling.random_apply import RandomApply

    inputs, maps = model.inputs, maps_of(model)
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not maps:
        shapes = ", ".join(str(list(i.shape[1:])) for i in inputs)
        raise ConfigError(
            f"{source} takes {shapes}" if maps else f"{source} has no layer that gives a map",
            "a model of one image, with convolutions",
            "give the model of a pipeline whose only feature is an image",
        )
    start = next((layer.output for layer in model.layers if isinstance(layer, RandomApply)), inputs[0])
    return keras.Model(start, maps[-1], name="base")


def _load(made: Any, file: Path, base: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an error follows each of them
            made.load_weights(file)
    except (ValueError, OSError, KeyError) as error:
        raise ConfigError(
            f"{file.name} cannot be loaded into {base} without its head: {str(error).strip().splitlines()[0][:200]}",
            f"weights that keras.applications' {PUBLISHED[base].function}(include_top=False).save_weights() wrote",
            "check which network and which version of Keras wrote the file",
        ) from None


def _refuse_offline(base: str) -> None:
    """Raise ``ConfigError`` where the weights that Keras publishes lie neither here nor in reach."""
    cached = (Path.home() / ".keras" / "models").glob(f"{PUBLISHED[base].file}*")
    if any("notop" in path.name.replace("_", "") for path in cached):
        return
    try:
        urllib.request.urlopen(urllib.request.Request(HOST, method="HEAD"), timeout=SECONDS).close()
    except urllib.error.HTTPError:
        return  # it answers
    except OSError as error:
        raise _not_fetched(base, str(getattr(error, "reason", error))) from None


def _not_fetched(base: str, why: str) -> ConfigError:
    first = why.strip().splitlines()[0][:200] if why.strip() else "no answer"
    return ConfigError(
        f"weights imagenet of {base} cannot be fetched: {first}",
        "a network, or a file of weights",
        "set weights to a file: .weights.h5 of Keras, or for mobilenet_v2 a .pth of torchvision (docs/images.md)",
    )

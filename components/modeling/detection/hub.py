"""RetinaNet of KerasHub as an architecture of one's own: named by its place, not by a kind.

::

    image -> keras_hub.models.RetinaNetObjectDetector -> offsets and logits of its own anchors -> what ``Detector`` says
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.detection.base import Detecting
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.extras import missing_extra

FIRST, LAST = 3, 5
"""Levels of the pyramid: positions are 8, 16 and 32 pixels apart."""
COLOURS = 3
YXHW = (1, 0, 3, 2)
"""From the order of KerasHub's offsets, across before down, to that of ours."""


class RetinaNet(Detecting):
    """RetinaNet of KerasHub (Lin et al. 2017) with a residual network in front, at random or from a file of weights.

    One colour image [N, H, W, 3] in; boxes, anchors and logits [N, A, 8 + C] out. It is slow to learn from few images:
    use it where weights are at hand, and ``Detector`` otherwise. Needs the extra ``hub``. Write
    ``kind: kilnworks.components.modeling.detection.hub:RetinaNet``, or an object of it into a definition.
    """

    blocks: tuple[int, ...] = Field(default=(2, 2, 2, 2), min_length=4, max_length=4)
    """Residual blocks of each of the four stages; (2, 2, 2, 2) is ResNet-18 (He et al. 2016)."""
    anchor: float = Field(default=2.0, gt=0)
    """Side of the smallest anchors of a level, as a multiple of how far its positions are apart; KerasHub's own is 4,
    for boxes of 32 pixels and more."""
    weights: Bytes | None = None
    """A file ``.weights.h5`` of such a detector, written by its ``save_weights``. None: random ones."""

    def said(self, image: EncodedTensor, x: Any, task: Any, names: LayerNames) -> Any:
        """See ``Detecting.said``.

        Raises:
            ExtraMissing: KerasHub is not installed.
            ConfigError: an image without colours, or weights of another network.
        """
        from keras import layers, ops

        from kilnworks.components.modeling.detection.detector import UNSURE
        from kilnworks.components.modeling.detection.layers import Boxes

        if image.shape[2] != COLOURS:
            raise ConfigError(
                f"image {image.name!r} has {image.shape[2]} channels", "3: red, green, blue", "change the contract"
            )
        detector = self.detector(image.shape, task.logits)
        detector.compiled = False  # or a saved model would hold its losses and optimizer
        told = detector(x)
        anchors = ops.concatenate(list(detector.anchor_generator(np.zeros((1, *image.shape), np.float32)).values()))
        shares = np.asarray(anchors, np.float32) / np.array([*image.shape[:2]] * 2, np.float32)
        turned = layers.Concatenate(dtype="float32", name=names("offsets"))(
            [told["bbox_regression"][..., i : i + 1] for i in YXHW]
        )
        # KerasHub begins its boxes where classes should begin, and classes at even odds (version 0.32)
        shift = 0.0 if self.weights else UNSURE
        logits = layers.Rescaling(1.0, shift, dtype="float32", name=names("unsure"))(told["cls_logits"])
        centred = layers.Rescaling(1.0, -shift, dtype="float32", name=names("centred"))(turned)
        boxes = Boxes(shares, dtype="float32", name=names("boxes"))(centred)
        return layers.Concatenate(axis=-1, name=names("said"), dtype="float32")([boxes, logits])

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Not used: ``network`` connects the detector whole."""
        raise NotImplementedError("KerasHub's detector is connected by network()")

    def detector(self, shape: Sequence[int | None], classes: int) -> Any:
        """``keras_hub.models.RetinaNetObjectDetector`` for images of ``shape`` [H, W, 3]; errors as ``said``."""
        try:
            import keras_hub
        except ModuleNotFoundError as error:
            raise missing_extra(error, "model RetinaNet") or error from None
        encoder = keras_hub.models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 128, 256, 512],
            stackwise_num_blocks=list(self.blocks),
            stackwise_num_strides=[1, 2, 2, 2],
            block_type="basic_block",
            image_shape=tuple(shape),
        )
        backbone = keras_hub.models.RetinaNetBackbone(
            encoder, min_level=FIRST, max_level=LAST, use_p5=False, image_shape=tuple(shape)
        )
        anchors = keras_hub.layers.AnchorGenerator(
            "yxyx", FIRST, LAST, num_scales=3, aspect_ratios=[0.5, 1.0, 2.0], anchor_size=self.anchor
        )
        made = keras_hub.models.RetinaNetObjectDetector(backbone, classes, "yxyx", anchors)
        if self.weights is not None:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # Keras only warns of layers that it leaves at random
                    made.load_weights(self.weights.path)
            except (ValueError, OSError, KeyError, UserWarning) as error:
                raise ConfigError(
                    f"{self.weights.path}: {str(error).strip().splitlines()[0][:300]}",
                    f"weights of a detector of {classes} classes with blocks {list(self.blocks)}",
                    "write them by save_weights of such a detector, or leave `weights` out",
                ) from error
        return made

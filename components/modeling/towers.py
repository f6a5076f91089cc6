"""What architectures for images have in common: a tower for each image, other features beside them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError


class Towers(Architecture):
    """Images of one row have towers of their own; features that are no image join behind them."""

    def joined(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The vectors of all towers and the other features, [N, F].

        Raises:
            ConfigError: no input is an image, or one is too small.
        """
        images = [t for t in encoded if t.kind == "image"]
        others = [t for t in encoded if t.kind != "image"]
        if not images:
            raise ConfigError(
                f"model {self.kind} for {', '.join(t.name for t in encoded)}, none of which is an image",
                "a feature with dtype image",
                "use model: tabular or mlp",
            )
        parts = [self.tower(t, inputs[t.name], names) for t in images]
        return self.beside(parts, others, inputs, names)

    @abstractmethod
    def tower(self, image: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One image [N, H, W, C] as a vector [N, F]."""


def mixing(augmentation: Augmentation, model: Any) -> Any:
    """What trains the layers of ``model`` on mixed images; None where nothing is mixed."""
    if not augmentation.mixes:
        return None
    from kilnworks.components.modeling.images.mixing import Mixing

    images = [tensor.name for tensor in model.inputs if len(tensor.shape) == 4]
    mix, cut = augmentation.mixup, augmentation.cutmix
    return Mixing(model.input, model.output, name=model.name, images=images, mix=mix, cut=cut)

"""Our MobileNetV2 against the definition in NumPy, and with the real weights against what photographs show."""

from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from kilnworks.components.modeling.images.bases import load_base
from kilnworks.components.modeling.images.mobilenet_v2 import STAGES
from kilnworks.schemas.errors import ConfigError
from tests.components.modeling.images.torch_writer import checkpoint, tensors

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[4] / "data"
FETCH = "python data/make_groceries.py"


def convolution(x: np.ndarray, weight: np.ndarray, stride: int, groups: int) -> np.ndarray:
    """As torch defines it: [N, C, H, W], kernel [O, C / groups, k, k], ``k // 2`` zeros on all sides."""
    pad = weight.shape[2] // 2
    wide = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(wide, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    if groups > 1:
        return np.einsum("nchwij,cij->nchw", windows, weight[:, 0])
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)


class Reference:
    """torchvision's MobileNetV2 in NumPy, from random tensors that it draws as it goes."""

    def __init__(self) -> None:
        self.draw, self.tensors = np.random.default_rng(3), {}

    def layer(self, x, conv, norm, width, kernel=1, stride=1, groups=1, relu=True):
        shape = (width, x.shape[1] // groups, kernel, kernel)
        weight = self.draw.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        parts = {"weight": (1, 0.1), "bias": (0, 0.3), "running_mean": (0, 0.2)}
        stats = {name: self.draw.normal(*at, width) for name, at in parts.items()}
        stats["running_var"] = self.draw.uniform(0.5, 2, width)
        self.tensors |= {f"{conv}.weight": weight, **{f"{norm}.{name}": values for name, values in stats.items()}}
        self.tensors[f"{norm}.num_batches_tracked"] = np.array(1)
        gamma, beta, mean, var = (v[:, None, None] for v in stats.values())
        y = (convolution(x, weight, stride, groups) - mean) / np.sqrt(var + 1e-5) * gamma + beta
        return np.clip(y, 0, 6) if relu else y

    def features(self, x):
        x = self.layer(x, "features.0.0", "features.0.1", 32, 3, 2)
        number = 1
        for expansion, width, blocks, first in STAGES:
            for block in range(blocks):
                at, y, stride = f"features.{number}.conv", x, first if block == 0 else 1
                if expansion > 1:
                    y = self.layer(y, f"{at}.0.0", f"{at}.0.1", x.shape[1] * expansion)
                place = int(expansion > 1)
                y = self.layer(y, f"{at}.{place}.0", f"{at}.{place}.1", y.shape[1], 3, stride, y.shape[1])
                y = self.layer(y, f"{at}.{place + 1}", f"{at}.{place + 2}", width, relu=False)
                x = x + y if stride == 1 and x.shape[1] == width else y
                number += 1
        return self.layer(x, f"features.{number}.0", f"features.{number}.1", 1280)


def test_the_features_are_those_of_the_definition(tmp_path: Path) -> None:
    net, images = Reference(), np.random.default_rng(0).normal(size=(2, 3, 64, 48))
    wanted = net.features(images).transpose(0, 2, 3, 1)
    path = checkpoint(
        tmp_path / "net.pth",
        tensors({n: v.astype("<f4") if v.ndim else v.astype("<i8") for n, v in net.tensors.items()}),
        old=False,
    )
    base = load_base("mobilenet_v2", path, (64, 48, 3))
    found = base(images.transpose(0, 2, 3, 1).astype(np.float32), training=False).numpy()
    assert found.shape == wanted.shape == (2, 2, 2, 1280)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())
    lacking = {n: v for n, v in net.tensors.items() if "features.7" not in n}
    path = checkpoint(tmp_path / "other.pth", tensors({n: v.astype("<f4") for n, v in lacking.items()}), old=True)
    with pytest.raises(ConfigError, match=r"other.pth has no tensor 'features.7"):
        load_base("mobilenet_v2", path, (64, 48, 3))


@pytest.mark.skipif(not (DATA / "mobilenet_v2.pth").is_file(), reason=f"no weights in data/: {FETCH}")
def test_real_weights_know_real_fruit() -> None:
    """The thousand classes of ImageNet hold two of our fruits: the classifier of the checkpoint must name them."""
    import polars as pl

    from kilnworks.components.modeling.images.bases import MEAN, SPREAD
    from kilnworks.components.modeling.images.torch_file import read_torch_file
    from kilnworks.components.sources.images import decode_image

    smith, orange = 948, 950
    frame = pl.read_parquet(DATA / "groceries.parquet")
    chosen = pl.concat([frame.filter(pl.col("variety") == v)[::12][:10] for v in ("Granny-Smith", "Orange")])
    pixels = np.stack([decode_image(b, (224, 224, 3), "photo").pixels for b in chosen["image"]])
    images = ((pixels / 255 - MEAN) / SPREAD).astype(np.float32)
    held = read_torch_file(DATA / "mobilenet_v2.pth")
    base = load_base("mobilenet_v2", DATA / "mobilenet_v2.pth", (224, 224, 3))
    vectors = base(images, training=False).numpy().mean(axis=(1, 2))
    logits = vectors @ held["classifier.1.weight"].T + held["classifier.1.bias"]
    truth = np.where(chosen["variety"] == "Granny-Smith", smith, orange)
    five = np.argsort(-logits, axis=1)[:, :5]
    assert (five == truth[:, None]).any(axis=1).mean() >= 0.9  # 0.903 is published, over all classes
    assert (five[:10, 0] == smith).mean() >= 0.9

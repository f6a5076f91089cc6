"""How large a first model is, and how long it trains, from the size of the data."""

from __future__ import annotations

from typing import Any

from kilnworks.components.learning.optimizers import Adam, AdamW, Schedule
from kilnworks.components.learning.settings import EarlyStopping, FitSettings
from kilnworks.components.modeling.images.augmentation import Augmentation, Flips
from kilnworks.components.modeling.images.transfer import Transfer
from kilnworks.components.modeling.tabular import Tabular
from kilnworks.components.modeling.vision import Vision
from kilnworks.schemas.code import Bytes

LARGE = 8_000_000
"""Numbers of the training split (rows x columns) from which on half the members have to do."""
SMALL = 10_000
"""Rows of the training split below which several networks are trained again on all rows, and their mean answers;
an epoch has fewer than 40 steps there, and 60 of them can end too early (decision 366)."""
NETWORKS = 2
FEW = 2_000
"""Rows of the training split below which an epoch has so few steps that batches are smaller, and patience more."""
WORK = 3e10
"""Rows x pixels that the blocks see x squared channels of all epochs together: less than four minutes on two cores."""
HALVED = 48
"""Pixels of the shorter side from which on the first convolution halves both: three epochs in the time of one."""
MOST_EPOCHS = 40
"""Of images whose first convolution halves them: what comes on top is augmentation, which it does not make quicker."""
SEEN = 24_000
"""Photographs that a base looks at in all epochs of its head: five minutes of a processor at 160 pixels a side."""
FEW_IMAGES, SMALLEST, GRADIENTS = 5_000, 16, 256
"""Images below which, and pixels a side from which on, a second model of so many units reads gradients."""


def tabular(
    rows: int, columns: int, monitor: str, *, categories: bool, log: bool = False
) -> tuple[Tabular, dict[str, Any]]:
    """Architecture, and settings of the training by field name, for a table.

    Args:
        rows: of the training split, about.
        columns: features.
        monitor: the number that says which epoch is the best.
        categories: whether a feature is a category of many values, whose rare ones need a prior.
        log: whether the logarithm of the label is learned, in which the epoch is chosen, too.
    """
    members = 16 if rows * columns <= LARGE else 8
    bins = 32 if columns <= 60 else 16
    size = 12 if columns <= 60 else 6
    prior = min(1e-2, 8.0 / rows) if categories else 0.0
    model = Tabular(members=members, bins=bins, number_size=size, prior=float(f"{prior:.1g}"))
    batch = 32 if rows < FEW else 128 if rows < 5_000 else 256 if rows < 50_000 else 1024
    return model, {
        "epochs": 150 if rows < SMALL else 60,
        "batch": batch,
        "optimizer": AdamW(learning_rate=1e-3, weight_decay=3e-4),
        "early_stopping": EarlyStopping(patience=12 if rows < FEW else 6 if rows < 100_000 else 3),
        **({"refit": NETWORKS} if rows < SMALL else {}),
        **({"label_scale": "log"} if log else {}),
        **({"monitor": monitor} if monitor != FitSettings.model_fields["monitor"].default and not log else {}),
    }


def vision(rows: int, shape: tuple[int, ...], *, flips: Flips) -> tuple[Vision, dict[str, Any]]:
    """Architecture, and settings of the training by field name, for images.

    Args:
        rows: images, about.
        shape: height, width and channels in pixels.
        flips: axes along which a mirrored image is as likely as the image.
    """
    pixels = shape[0] * shape[1]
    filters: tuple[int, ...] = (16, 32, 64) if pixels > 1_200 else (32, 64, 128)
    filters = (*filters, filters[-1]) if min(shape[:2]) >= 48 else filters
    stride = 2 if min(shape[:2]) >= HALVED else 1
    budget = WORK / max(1, rows * pixels / stride**2 * filters[0] ** 2)
    epochs = int(min(MOST_EPOCHS if stride > 1 else 100, max(8, budget)))
    gradients = GRADIENTS if rows < FEW_IMAGES and min(shape[:2]) >= SMALLEST else 0
    augmentation = Augmentation(flip=flips)
    model = Vision(filters=filters, stem_stride=stride, augmentation=augmentation, gradients=gradients)
    return model, {
        "epochs": epochs,
        "batch": 16 if rows < 1_000 else 32 if rows < 4_000 else 64,
        "optimizer": AdamW(learning_rate=2e-3, weight_decay=0.05),
        "schedule": Schedule(warmup_epochs=min(2.0, epochs / 10), final=0.01),
        "early_stopping": None,
        "label_smoothing": 0.05,
    }


def transfer(weights: Bytes, rows: int, *, flips: Flips) -> tuple[Transfer, dict[str, Any]]:
    """Architecture, and settings of the training by field name, for photographs where weights are at hand.

    Args:
        weights: of torchvision's MobileNetV2.
        rows: images, about.
        flips: axes along which a mirrored image is as likely as the image.
    """
    augmentation = Augmentation(flip=flips, shift=0, rotation=0, zoom=0, contrast=0)
    epochs = int(min(12, max(4, SEEN / max(1, rows))))
    model = Transfer(weights=weights, augmentation=augmentation, fine_tune=3, fine_tune_epochs=max(3, epochs // 2))
    return model, {
        "epochs": epochs,
        "batch": 32,
        "optimizer": Adam(learning_rate=5e-3),
        "schedule": Schedule(),
        "early_stopping": None,
        "label_smoothing": 0.1,
    }

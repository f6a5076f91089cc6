"""A transformer encoder over patches of a series (Nie, Nguyen, Sinthong & Kalagnanam 2023)."""

from __future__ import annotations

from typing import Any

from keras import layers

from kilnworks.components.tasks.layer_names import LayerNames


def attended(
    x: Any, width: int, patch: int, blocks: int, heads: int, dropout: float, names: LayerNames, tag: str = "history"
) -> Any:
    """A sequence [N, T, D] as [N, width]: patches, encoder blocks normalized before each part, mean over patches.

    Args:
        x: [N, T, D]; its first steps are left out where T is no whole number of patches.
        width: dimensions of a patch.
        patch: steps of a patch; the whole sequence is one where it is shorter.
        blocks: encoder blocks.
        heads: of each attention; they share ``width``.
        dropout: share dropped in the attention and behind it.
        names: gives names to layers.
        tag: goes into these names.
    """
    steps = x.shape[1]
    size = min(patch, steps)
    x = x[:, steps % size :]
    x = layers.Conv1D(width, size, strides=size, name=names(f"{tag}_patches"))(x)
    x = layers.EinsumDense(
        "ntd,td->ntd", tuple(x.shape[1:]), bias_axes="td", kernel_initializer="ones",
        bias_initializer="random_normal", name=names(f"{tag}_places"),
    )(x)  # fmt: skip
    for i in range(1, blocks + 1):
        x = block(x, width, heads, dropout, f"{tag}_{i}", names)
    x = layers.LayerNormalization(name=names(f"{tag}_normed"))(x)
    return layers.GlobalAveragePooling1D(name=names(f"{tag}_mean"))(x)


def block(x: Any, width: int, heads: int, dropout: float, tag: str, names: LayerNames, seen: Any = None) -> Any:
    """Attention and two dense layers, each normalized before and added to what came in: [N, T, width] as it is.

    ``seen``: bool [N, 1, T], which steps may be looked at; by default all.
    """
    normed = layers.LayerNormalization(name=names(f"normed_a_{tag}"))(x)
    attention = layers.MultiHeadAttention(heads, width // heads, dropout=dropout, name=names(f"attention_{tag}"))
    x = layers.Add(name=names(f"attended_{tag}"))([x, attention(normed, normed, attention_mask=seen)])
    normed = layers.LayerNormalization(name=names(f"normed_b_{tag}"))(x)
    narrow = layers.Dense(width, name=names(f"narrow_{tag}"))(
        layers.Dense(2 * width, "gelu", name=names(f"wide_{tag}"))(normed)
    )
    if dropout:
        narrow = layers.Dropout(dropout, name=names(f"dropout_{tag}"))(narrow)
    return layers.Add(name=names(f"block_{tag}"))([x, narrow])

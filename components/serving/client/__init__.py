"""A small typed client for model servers: numpy in, numpy out, no TensorFlow.

``Client`` blocks, ``AsyncClient`` is its twin for asyncio. Both speak TensorFlow Serving's gRPC.
"""

from kilnworks.components.serving.client.calls import ModelMeta, Prediction, SignatureMeta, TensorMeta, VersionState
from kilnworks.components.serving.client.client import AsyncClient, Client, Options, Tls
from kilnworks.components.serving.client.retry import Policy

__all__ = [
    "AsyncClient",
    "Client",
    "ModelMeta",
    "Options",
    "Policy",
    "Prediction",
    "SignatureMeta",
    "TensorMeta",
    "Tls",
    "VersionState",
]

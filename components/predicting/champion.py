"""The live model of a pipeline, asked in this process or through a server; both take and give numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.features.raw import raw_arrays
from components.predicting.answers import answer_frame
from components.predicting.rows import request_frames
from components.sources.base import Source
from schemas.champion import ChampionRecord
from schemas.contract import Contract
from schemas.errors import RequestInvalid, StoreError
from schemas.files import read_json

if TYPE_CHECKING:
    import polars as pl

Arrays = Mapping[str, np.ndarray[Any, Any]]
Ask = Callable[[Arrays], Arrays]
"""Named inputs ``[n, *shape]`` to named outputs ``[n, ...]``."""

BATCH = 1024
_TOO_MANY_ROWS = re.compile(r"larger than maximum input batch size (\d+)")


def predictions(path: Path, contract: Contract, ask: Ask, like: Source | None = None) -> Iterator[pl.DataFrame]:
    """Answers for the rows of a file, in order, in batches; behind the file's name for images.

    Args and errors as for ``request_frames``.
    """
    for frame in request_frames(path, contract, like):
        for rows in frame.iter_slices(BATCH):
            names = [rows[name] for name in rows.columns if name not in contract.features]
            answers = answer_frame(contract, ask(raw_arrays(contract, rows)))
            yield answers.select(*names, *answers.columns)


def champion_contract(champion: ChampionRecord) -> Contract:
    """The contract that the live model was trained under; it lies beside the published model.

    Raises:
        StoreError: the published version is no longer there.
    """
    path = Path(champion.path) / "assets.extra" / "contract.json"
    if not path.is_file():
        raise StoreError(f"{path} is gone", "a published model", f"run {champion.pipeline} again")
    return Contract.model_validate(read_json(path))


def in_process(champion: ChampionRecord) -> Ask:
    """The live SavedModel, loaded here.

    Raises:
        StoreError: the published version is no longer there.
    """
    import tensorflow as tf

    if not (Path(champion.path) / "saved_model.pb").is_file():
        raise StoreError(f"{champion.path} is gone", "a published model", f"run {champion.pipeline} again")
    loaded = tf.saved_model.load(champion.path)
    signature = loaded.signatures["serving_default"]

    def ask(inputs: Arrays) -> Arrays:
        tensors = {name: tf.constant(a.tolist() if a.dtype == object else a) for name, a in inputs.items()}
        return {name: value.numpy() for name, value in signature(**tensors).items()}

    ask.__dict__["model"] = loaded
    return ask


def through_server(champion: ChampionRecord, address: str, timeout_seconds: float) -> Ask:
    """The model of that name on a server at ``HOST:PORT`` (gRPC).

    A server that batches refuses requests of more rows than its ``max_batch_size``; it is asked for as many at a time.

    Raises (while asking):
        ServerUnavailable: nothing answers within ``timeout_seconds``.
        RequestInvalid: the server refused the request.
    """
    from components.serving.client import Client

    client = Client(address, timeout_seconds=timeout_seconds)
    most = BATCH

    def ask(inputs: Arrays) -> Arrays:
        nonlocal most
        try:
            return _in_pieces(lambda piece: client.predict(champion.model, dict(piece)).outputs, inputs, most)
        except RequestInvalid as error:
            limit = _TOO_MANY_ROWS.search(str(error))
            if limit is None or not 0 < int(limit[1]) < most:
                raise
            most = int(limit[1])
        return ask(inputs)

    return ask


def _in_pieces(ask: Ask, inputs: Arrays, most: int) -> Arrays:
    """Ask for ``most`` rows at a time; the answers together."""
    rows = max((len(array) for array in inputs.values()), default=0)
    pieces = [
        ask({name: array[start : start + most] for name, array in inputs.items()})
        for start in range(0, max(rows, 1), most)
    ]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

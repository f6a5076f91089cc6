"""The live model of a pipeline, asked in this process or through a server; both take and give numpy arrays."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.predicting.answers import answer_frame
from kilnworks.components.predicting.images import FILE, takes_images, tiles_of
from kilnworks.components.predicting.no_number import refuse_no_number
from kilnworks.components.predicting.pieces import Arrays, Ask, in_pieces
from kilnworks.components.predicting.rows import file_source, request_frames, row_words
from kilnworks.components.predicting.series import continued
from kilnworks.components.predicting.tiled import of_photograph
from kilnworks.components.predicting.told_apart import told_apart
from kilnworks.components.sources.base import Source
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import choose, read_task
from kilnworks.schemas.champion import ChampionRecord
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import StoreError
from kilnworks.schemas.files import plainly_named, read_json
from kilnworks.schemas.saved_contract import read_saved
from kilnworks.schemas.wire import CONTRACT_FILE, SERIES_FILE, TASK_FILE

if TYPE_CHECKING:
    import polars as pl

BATCH = 1024

log = logging.getLogger(__name__)


def predictions(
    path: Path, contract: Contract, ask: Ask, like: Source | None = None, task: Task | None = None
) -> Iterator[pl.DataFrame]:
    """Answers for the rows of a file, in order, in batches; behind the file's name for images.

    ``task`` is that of the model, by default the one that the contract's label asks for. Args and errors as for
    ``request_frames``; raises ``RequestInvalid``, too, where an answer is NaN or infinite.
    """
    seen, told = 0, task or choose(contract).of(contract)
    for frame in request_frames(path, contract, like):
        if tiles_of(like) is not None and FILE in frame.columns:
            yield of_photograph(frame, contract, ask, told)
            continue
        for rows in frame.iter_slices(BATCH):
            names = [rows[name] for name in rows.columns if name not in contract.features]
            answers = answer_frame(told, ask(raw_arrays(contract, rows)))
            refuse_no_number(rows, answers, partial(_place, path, contract, like, seen))
            seen += rows.height
            yield answers.select(*names, *answers.columns)


def predicted(
    path: Path, champion: ChampionRecord, ask: Ask, like: Source | None = None, *, apart: bool = False
) -> Iterator[pl.DataFrame]:
    """``predictions`` of the live model; with ``apart`` behind what tells the rows apart.

    One that forecasts answers rows that go on where its training data end.
    """
    if (Path(champion.path) / SERIES_FILE).is_file():
        yield continued(path, Path(champion.path), ask, like, apart=apart)
        return
    contract = champion_contract(champion)
    answers = predictions(path, contract, ask, like, champion_task(champion, contract))
    yield from told_apart(answers, path, contract, like) if apart else answers


def _place(path: Path, contract: Contract, like: Source | None, seen: int, row: int) -> str:
    """Words for where a row stands."""
    if takes_images(contract):
        return f"row {seen + row + 1}"
    return row_words(file_source(path, like, list(contract.features)), seen + row)


def champion_contract(champion: ChampionRecord) -> Contract:
    """The contract that the live model was trained under; it lies beside the published model.

    Raises:
        StoreError: the published version is no longer there.
    """
    path = Path(champion.path) / CONTRACT_FILE
    if not path.is_file():
        raise StoreError(f"{path} is gone", "a published model", f"run {champion.pipeline} again")
    contract, dropped = read_saved(read_json(path))
    for line in dropped:
        log.warning("The contract of the live model of %s: %s; train it again", champion.pipeline, line)
    return contract


def champion_task(champion: ChampionRecord, contract: Contract) -> Task:
    """The task of the live model; of one that was published before tasks were kept, by its contract."""
    path = Path(champion.path) / TASK_FILE
    return read_task(path) if path.is_file() else choose(contract).of(contract)


def in_process(champion: ChampionRecord) -> Ask:
    """The live SavedModel, loaded here once it is asked: what is wrong with rows is said before.

    Raises:
        StoreError: the published version is no longer there.
    """
    if not (Path(champion.path) / "saved_model.pb").is_file():
        raise StoreError(f"{champion.path} is gone", "a published model", f"run {champion.pipeline} again")
    opened: list[Ask] = []

    def ask(inputs: Arrays) -> Arrays:
        if not opened:
            opened.append(asked(Path(champion.path)))
        return opened[0](inputs)

    return ask


def asked(saved_model: Path) -> Ask:
    """A SavedModel, loaded here, and asked by its serving signature."""
    import tensorflow as tf

    with plainly_named(saved_model) as folder:
        loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]

    def ask(inputs: Arrays) -> Arrays:
        tensors = {name: tf.constant(a.tolist() if a.dtype == object else a) for name, a in inputs.items()}
        return {name: value.numpy() for name, value in signature(**tensors).items()}

    ask.__dict__["model"] = loaded
    return ask


def through_server(champion: ChampionRecord, address: str, timeout_seconds: float) -> Ask:
    """The model of that name on a server at ``HOST:PORT`` (gRPC).

    A server that batches refuses requests of more rows than its ``max_batch_size``; it is asked for fewer at a time.

    Raises (while asking):
        ServerUnavailable: nothing answers within ``timeout_seconds``.
        RequestInvalid: the server refused the request.
    """
    from kilnworks.components.serving.client import Client

    client = Client(address, timeout_seconds=timeout_seconds)
    return in_pieces(lambda inputs: client.predict(champion.model, dict(inputs)).outputs, BATCH)

"""Models whose graph reaches for files, code or other machines, loaded by reload into a running server."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.loading import graph_operations
from kilnworks.components.serving.loading.graph_policy import refuse_reaching_out
from tests.e2e.security.attacked_server import Attacked, started

pytestmark = pytest.mark.e2e

WORDS = "InitializeTableFromTextFileV2"


def changed(models: Path, to: Path, change: Any) -> Path:
    """A copy of the model with a vocabulary, whose MetaGraph has been changed."""
    shutil.copytree(models / "words", to)
    file = to / "1" / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    return to


def other_asset(name: str) -> Any:
    def change(graph: Any) -> None:
        graph.asset_file_def[0].filename = name

    return change


def no_asset(graph: Any) -> None:
    """The vocabulary's name stands in the graph itself."""
    del graph.asset_file_def[:]
    node = next(node for node in graph.graph_def.node if node.name == "asset_path_initializer")
    node.op = "Const"
    node.attr["value"].tensor.dtype = 7
    node.attr["value"].tensor.string_val.append(b"/etc/passwd")
    node.attr["value"].tensor.tensor_shape.SetInParent()
    del node.attr["shape"]


def second_assignment(graph: Any) -> None:
    """The variable that holds the name is given another one."""
    nodes = graph.graph_def.node
    name = nodes.add(name="evil", op="Const")
    name.attr["value"].tensor.string_val.append(b"/etc/passwd")
    next(n for n in nodes if n.op == "AssignVariableOp").input[1] = "evil"


def second_handle(graph: Any) -> None:
    """Another handle of the same variable."""
    nodes = graph.graph_def.node
    handle = next(n for n in nodes if n.op == "VarHandleOp")
    handle.attr["shared_name"].s = b"the name"
    nodes.add(name="evil", op="VarHandleOp").attr["shared_name"].s = b"the name"


def hidden(op: str, **attributes: bytes) -> Any:
    """An operation in a function that nothing calls by name of an attribute."""

    def change(graph: Any) -> None:
        node = graph.graph_def.library.function[0].node_def.add(name="evil", op=op)
        for name, value in attributes.items():
            node.attr[name].s = value

    return change


def in_the_initializer(op: str) -> Any:
    def change(graph: Any) -> None:
        function = next(f for f in graph.graph_def.library.function if "initializer" in f.signature.name)
        function.node_def.add(name="evil", op=op)

    return change


def asked_for_by_name(op: str) -> Any:
    """A node of the graph that stands behind an output of a signature."""

    def change(graph: Any) -> None:
        graph.graph_def.node.add(name="evil", op=op)
        graph.graph_def.node.add(name="harmless", op="Identity", input=["x", "^evil"])
        graph.signature_def["serving_default"].outputs["y"].name = "harmless:0"

    return change


EVIL = {
    "an asset above": (other_asset("../../../../../../../../etc/passwd"), WORDS),
    "an asset elsewhere": (other_asset("/etc/passwd"), WORDS),
    "no asset": (no_asset, WORDS),
    "a second assignment": (second_assignment, WORDS),
    "a second handle": (second_handle, WORDS),
    "hidden Python": (hidden("EagerPyFunc"), "EagerPyFunc"),
    "a connection": (hidden("RpcClient"), "RpcClient"),
    "a graph as a value": (hidden("DatasetFromGraph"), "DatasetFromGraph"),
    "mapped memory": (hidden("ImmutableConst"), "ImmutableConst"),
    "descriptors from a file": (hidden("DecodeProtoV2", descriptor_source=b"/etc/passwd"), "DecodeProtoV2"),
    "a sampler's file": (hidden("FixedUnigramCandidateSampler", vocab_file=b"/x"), "FixedUnigramCandidateSampler"),
    "restored on loading": (in_the_initializer("RestoreV2"), "RestoreV2"),
    "saved on loading": (in_the_initializer("MergeV2Checkpoints"), "MergeV2Checkpoints"),
    "saved when asked": (asked_for_by_name("SaveV2"), "SaveV2"),
    "a table filled when asked": (asked_for_by_name(WORDS), WORDS),
}


@pytest.mark.parametrize("kind", EVIL)
def test_graphs_that_reach_out_are_refused(models: Path, tmp_path: Path, kind: str) -> None:
    change, named = EVIL[kind]
    with pytest.raises(ServingError, match=named):
        refuse_reaching_out(changed(models, tmp_path / "evil", change) / "1")


def harmless(graph: Any) -> None:
    hidden("DecodeProtoV2", descriptor_source=b"local://")(graph)
    hidden("FixedUnigramCandidateSampler", vocab_file=b"")(graph)
    hidden("RestoreV2")(graph)  # a function that no request and no loading calls


def test_models_with_vocabularies_and_variables_are_not_refused(models: Path, tmp_path: Path) -> None:
    refuse_reaching_out(models / "words" / "1")
    refuse_reaching_out(changed(models, tmp_path / "same", harmless) / "1")


def test_every_operation_of_tensorflow_that_names_a_file_or_a_place_is_known() -> None:
    """Read from the installed TensorFlow: one that a later release brings is told here."""
    known = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    ours = (
        graph_operations.FORBIDDEN | graph_operations.SAVES | graph_operations.RESTORES | graph_operations.FILLS_TABLES
    )
    names = {op.name for op in known.op}
    assert ours | graph_operations.FILES_IN_ATTRIBUTES.keys() <= names, "a name that TensorFlow does not have"
    place = re.compile(r"file|path|directory|logdir|address|_urls|_uri|^prefix$|(data|descriptor)_source|memory_reg")
    telling = {op.name for op in known.op if any(place.search(a.name) for a in (*op.input_arg, *op.attr))}
    assert telling - ours - graph_operations.FILES_IN_ATTRIBUTES.keys() == {
        "CTCBeamSearchDecoder",
        "TensorSliceDataset",
    }, "ways through a lattice; a hint about tensors"


@pytest.fixture
def open_to_reloads(models: Path, tmp_path: Path) -> Iterator[Attacked]:
    flags = (f"--model_base_path={models}/m", "--model_name=m", "--max_num_load_retries=0", "--reload_config=loopback")
    with started(tmp_path, *flags) as server:
        yield server


def test_none_of_them_gets_in_by_a_reload(open_to_reloads: Attacked, models: Path, tmp_path: Path) -> None:
    folders = {name: models / name for name in ("saves", "prints", "reads")}
    evil = {"above": EVIL["an asset above"], "passwd": EVIL["no asset"]}
    folders |= {name: changed(models, tmp_path / name, change) for name, (change, _) in evil.items()}
    request = model_management_pb2.ReloadConfigRequest()
    for name, folder in {**folders, "m": models / "m", "words": models / "words"}.items():
        request.config.model_config_list.config.add(name=name, base_path=str(folder), model_platform="tensorflow")
    with grpc.insecure_channel(open_to_reloads.grpc) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        with pytest.raises(grpc.RpcError, match=f"{len(folders)} model.s. did not become available"):
            stub.HandleReloadConfigRequest(request, timeout=60)
        for name in folders:
            status = get_model_status_pb2.GetModelStatusRequest()
            status.model_spec.name = name
            [version] = stub.GetModelStatus(status, timeout=60).model_version_status
            assert (version.state, "--allow_unsafe_ops" in version.status.error_message) == (50, True), name
        asked = predict_pb2.PredictRequest()
        asked.model_spec.name = "words"
        asked.inputs["x"].dtype = 9
        asked.inputs["x"].int64_val.append(1)
        asked.inputs["x"].tensor_shape.dim.add().size = 1
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(asked, timeout=60)
    assert answer.outputs["y"].string_val == [b"green"], "a vocabulary of its own is read"
    open_to_reloads.answers_well()

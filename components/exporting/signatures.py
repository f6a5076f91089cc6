"""The served graph: raw inputs -> preprocessing -> model -> named outputs, and its signatures.

============================  =========================  ==========================================  ==============
signature                     inputs                     outputs                                     method
============================  =========================  ==========================================  ==============
``serving_default``           one a served feature       the answers of the task, by name            predict
``serve_tf_example``          ``examples`` (serialized)  the same                                    predict
``classify`` (where it fits)  ``inputs`` (serialized)    ``classes``, ``scores`` [n, K]              classify
``regress`` (where it fits)   ``inputs`` (serialized)    ``outputs`` [n]                             regress
``explain`` (on request)      one a served feature       ``attributions`` [n, F], ``value`` ...      predict
============================  =========================  ==========================================  ==============

What is sent is ``Task.served``, what comes back ``Task.answers``, and the further methods are ``Task.methods``.

Every signature that takes Examples calls the one traced function of ``serving_default``.
"""

import keyword
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kilnworks.components.exporting.tf_example import feature_spec, parsed_to_raw
from kilnworks.components.features.graph import input_name, transform_model
from kilnworks.components.features.raw import raw_inputs
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.compact.int8 import Int8Model
from kilnworks.components.modeling.inside import inside
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.contract import Contract

PREDICT, EXAMPLES, CLASSIFY, REGRESS = "serving_default", "serve_tf_example", "classify", "regress"
EXPLAIN = "explain"
METHODS = {CLASSIFY: "tensorflow/serving/classify", REGRESS: "tensorflow/serving/regress"}
_RESERVED = frozenset({"self", "args", "kwargs", *keyword.kwlist})


class Resources(tf.Module):
    """What a SavedModel has to store: variables and lookup tables, and nothing of the Keras objects around them.

    Saving the Keras model itself would trace each of its layers again, for loaders that this one does not serve.
    """

    def __init__(self, transform: keras.Model, model: keras.Model | Int8Model) -> None:
        super().__init__(name="servable")
        plain = model.model if isinstance(model, Int8Model) else model
        narrow = model.stored if isinstance(model, Int8Model) else None
        self.weights = narrow or [variable.value for variable in plain.variables]
        self.resources = [*resources(transform), *resources(plain)]


def resources(model: keras.Model) -> list[Any]:
    """Lookup tables and plain TensorFlow variables anywhere inside a model: what its ``variables`` do not name."""
    kinds = tf.saved_model.experimental.TrackableResource | tf.Variable
    found = [one for one in inside(model) if isinstance(one, kinds)]
    known = {id(variable.value) for variable in model.variables}
    return [one for one in found if id(one) not in known]


class Endpoints:
    """One traced function a signature."""

    def __init__(
        self,
        task: Task,
        contract: Contract,
        transform: keras.Model,
        model: keras.Model | Int8Model,
        explainer: Any = None,
    ) -> None:
        """``contract``: of what is served; ``explainer``: an ``explaining.attributions.Attributions``, or None."""
        self._task, self._contract = task, contract
        self._transform = transform
        self._model = model
        self._names = argument_names(contract)
        spec = {
            argument: tf.TensorSpec((None, *shape), dtype, name=argument)
            for argument, (dtype, shape) in zip(self._names.values(), raw_inputs(contract).values(), strict=True)
        }
        self._predict = tf.function(self._answer, input_signature=[spec], autograph=False)
        self._explainer = explainer
        self._explain = tf.function(self._attributed, input_signature=[spec], autograph=False)

    def signatures(self) -> dict[str, Any]:
        """The traced function of each signature."""
        found = {
            PREDICT: self._predict.get_concrete_function(),
            EXAMPLES: self._on_examples("examples", lambda outputs: outputs),
        }
        if self._explainer is not None:
            found[EXPLAIN] = self._explain.get_concrete_function()
        finish = {CLASSIFY: self._classified, REGRESS: self._regressed}
        chosen = [name for name in finish if name in self._task.methods]
        return found | {name: self._on_examples("inputs", finish[name]) for name in chosen}

    def _answer(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        inputs = self._inputs(raw)
        output = self._model(self._task.encoded_request(inputs, self._transform), training=False)
        (values,) = output.values() if isinstance(output, Mapping) else (output,)
        return self._task.answers(values)

    def _attributed(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        answers: dict[str, Any] = self._explainer.answers(
            self._task.encoded_request(self._inputs(raw), self._transform)
        )
        return answers

    def _inputs(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """What the model takes; a tensor of another shape than its signature says ends the run.

        Servers do not look at shapes, and layers that take any length would answer for a window that is too short.
        """
        found = {}
        for name, argument in self._names.items():
            value = raw[argument]
            found[input_name(name)] = tf.ensure_shape(value, value.shape) if len(value.shape) > 1 else value
        return found

    def _on_examples(self, alias: str, finish: Any) -> Any:
        def serve(examples: Any) -> Any:
            parsed = tf.io.parse_example(examples, feature_spec(self._contract))
            raw = parsed_to_raw(self._contract, parsed)
            return finish(self._predict({self._names[name]: tensor for name, tensor in raw.items()}))

        spec = tf.TensorSpec((None,), tf.string, name=alias)
        return tf.function(serve, input_signature=[spec], autograph=False).get_concrete_function()

    def _classified(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        scores = outputs[self._task.methods["classify"]]
        classes = tf.tile(tf.constant(self._task.class_texts)[tf.newaxis], (tf.shape(scores)[0], 1))
        return {"classes": classes, "scores": scores}

    def _regressed(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"outputs": outputs[self._task.methods["regress"]]}


def argument_names(contract: Contract) -> dict[str, str]:
    """For each feature the argument it has in the traced function; see ``arguments``.

    ``save`` puts the names of the features into the saved signatures.
    """
    return arguments(contract.features)


def arguments(names: Iterable[str]) -> dict[str, str]:
    """For each name itself, or one like it that TensorFlow takes as an argument.

    TensorFlow wants identifiers that differ in more than upper and lower case.
    """
    taken: set[str] = set()
    found = {}
    for name in names:
        argument = re.sub(r"\W", "_", name, flags=re.ASCII)
        if not re.match(r"[A-Za-z]", argument):
            argument = f"x{argument}"
        while argument.lower() in taken or argument in _RESERVED:
            argument += "_"
        taken.add(argument.lower())
        found[name] = argument
    return found


def save(
    task: Task,
    transform: FeatureTransform,
    model: keras.Model | Int8Model,
    directory: Path,
    explainer: Any = None,
) -> None:
    """Write preprocessing and model as one SavedModel with its signatures, method names and aliases.

    ``explainer``: an ``explaining.attributions.Attributions`` for the signature ``explain``; None: there is none.
    """
    layers = transform_model(transform.plan)
    served = task.served(transform.contract)
    signatures = Endpoints(task, served, layers, model, explainer).signatures()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(Resources(layers, model), str(directory), signatures=signatures, options=options)
    _finish(directory, argument_names(served))


def _finish(directory: Path, arguments: Mapping[str, str]) -> None:
    """Give the signatures the method names of TensorFlow Serving and the inputs the names of the features."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.saved_model import fingerprinting_utils

    path = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    meta = saved.meta_graphs[0]
    for name, method in METHODS.items():
        if name in meta.signature_def:
            meta.signature_def[name].method_name = method
    renamed = {argument: name for name, argument in arguments.items() if name != argument}
    for argument, name in renamed.items():
        for signature in {PREDICT, EXPLAIN} & set(meta.signature_def):
            inputs = meta.signature_def[signature].inputs
            inputs[name].CopyFrom(inputs.pop(argument))
    for node in meta.object_graph_def.nodes:
        if node.WhichOneof("kind") == "bare_concrete_function":
            words = node.bare_concrete_function.argument_keywords
            words[:] = [renamed.get(word, word) for word in words]
    path.write_bytes(saved.SerializeToString(deterministic=True))
    (directory / "fingerprint.pb").unlink(missing_ok=True)
    fingerprinting_utils.write_fingerprint(str(directory))

"""Body of ``:predict``: row form (``instances``) and column form (``inputs``)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from kilnworks.components.serving.errors import ServingError, invalid_argument
from kilnworks.components.serving.json_tensors import debug, dense, document, tensors
from kilnworks.components.serving.json_tensors.dense import Array, Dense, Form
from kilnworks.components.serving.wire.values import TensorInfo


@dataclass(frozen=True)
class PredictBody:
    """A parsed body whose tensors are made once the signature is known.

    Attributes:
        read: the JSON object, or its numbers when it is one regular list of them.
        signature_name: "" means the default.
    """

    read: Dense | dict[str, Any]
    signature_name: str

    def arrays(
        self, inputs: Mapping[str, TensorInfo], rewrite: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> tuple[dict[str, Array], Form]:
        """Inputs by alias, and the form that the answer must have.

        ``rewrite`` changes the JSON object before it is read; a body of numbers alone does not pass it.

        Raises:
            ServingError: INVALID_ARGUMENT in the contract's words; UNIMPLEMENTED for a dtype without JSON form.
        """
        if not inputs:
            name = self.signature_name or "DEFAULT"
            raise invalid_argument(f"Failed to get input map for signature: {name}")
        tree = self.read
        if isinstance(tree, Dense):
            short = tree.arrays(inputs)
            if short is not None:
                return short
            tree = document.parse_object(tree.body)
        return _from_tree(tree if rewrite is None else rewrite(tree), inputs)


def parse(body: bytes) -> PredictBody:
    """Read the JSON and the signature's name, no more.

    Raises:
        ServingError: INVALID_ARGUMENT for a syntax error or a ``signature_name`` that is not a string.
    """
    short = dense.parse(body)
    return parse_tree(body) if short is None else PredictBody(short, short.signature_name)


def parse_tree(body: bytes) -> PredictBody:
    """As ``parse``, without the short cut."""
    tree = document.parse_object(body)
    return PredictBody(tree, document.signature_name(tree))


def _from_tree(tree: dict[str, Any], inputs: Mapping[str, TensorInfo]) -> tuple[dict[str, Array], Form]:
    if "instances" in tree and "inputs" in tree:
        _refuse(tree, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ")
    if "instances" in tree:
        items = tree["instances"]
        if not isinstance(items, list):
            _refuse(tree, "Expecting 'instances' to be an list/array")
        if not items:
            _refuse(tree, "No values in 'instances' array")
        return _rows(items, inputs), "row"
    if "inputs" in tree:
        return _columns(tree["inputs"], inputs), "column"
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _refuse(tree: dict[str, Any], reason: str) -> NoReturn:
    raise invalid_argument(f"JSON Value: {debug.quote(tree)} {reason}")


def _rows(items: list[Any], inputs: Mapping[str, TensorInfo]) -> dict[str, Array]:
    if not isinstance(items[0], dict) and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    if _is_named(items[0]):
        return _named_rows(items, inputs)
    alias = min(inputs)
    array = tensors.stack(items, inputs[alias])
    return {alias: _walk_plain(items, inputs[alias], alias) if array is None else array}


def _walk_plain(items: list[Any], info: TensorInfo, alias: str) -> Array:
    """Word the first error of a plain list."""
    leaves: list[Any] = []
    for number, item in enumerate(items):
        if _is_named(item):
            raise invalid_argument(f"Expecting value/list but got object at item {number} of input list")
        try:
            leaves += tensors.walk_item(item, items[0], info, alias)
        except ServingError as error:
            raise invalid_argument(f"Failed to process element: {number} of 'instances' list. Error: {error}") from None
    return tensors.from_leaves(leaves, (len(items), *tensors.shape_of(items[0])), info)


def _is_named(item: Any) -> bool:
    """Whether an item is an object of named inputs (and not one base64 value)."""
    return isinstance(item, dict) and not tensors.is_base64(item)


def _named_rows(items: list[Any], inputs: Mapping[str, TensorInfo]) -> dict[str, Array]:
    names = inputs.keys()
    if not all(isinstance(item, dict) and item.keys() == names for item in items):
        return _walk_named(items, inputs)
    found: dict[str, Array] = {}
    for alias, info in inputs.items():
        array = tensors.stack([item[alias] for item in items], info)
        if array is None:
            return _walk_named(items, inputs)
        found[alias] = array
    return found


def _walk_named(items: list[Any], inputs: Mapping[str, TensorInfo]) -> dict[str, Array]:
    """Word the first error of a list of objects, in the order in which a reader meets them."""
    leaves: dict[str, list[Any]] = {alias: [] for alias in inputs}
    for number, item in enumerate(items):
        if not _is_named(item):
            raise invalid_argument(f"Expecting object but got list at item {number} of input list")
        for key, value in item.items():
            try:
                if key not in inputs:
                    raise invalid_argument(f"JSON object: does not have named input: {key}")
                leaves[key] += tensors.walk_item(value, items[0].get(key, value), inputs[key], key)
            except ServingError as error:
                raise invalid_argument(
                    f"Failed to process element: {number} key: {key} of 'instances' list. Error: {error}"
                ) from None
        if item.keys() != inputs.keys():
            raise invalid_argument(
                f"Failed to process element: {number} of 'instances' list. JSON object: {debug.quote(item)} "
                f"keys must be equal to: {','.join(sorted(inputs))}"
            )
    shapes = {alias: (len(items), *tensors.shape_of(items[0][alias])) for alias in inputs}
    return {alias: tensors.from_leaves(leaves[alias], shapes[alias], info) for alias, info in inputs.items()}


def _columns(value: Any, inputs: Mapping[str, TensorInfo]) -> dict[str, Array]:
    if not isinstance(value, dict) or tensors.is_base64(value):
        if len(inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        ((alias, info),) = inputs.items()
        return {alias: tensors.to_array(value, info, alias)}
    found: dict[str, Array] = {}
    for alias in sorted(inputs):
        if alias not in value:
            raise invalid_argument(f"Missing named input: {alias} in 'inputs' object.")
        found[alias] = tensors.to_array(value[alias], inputs[alias], alias)
    return found

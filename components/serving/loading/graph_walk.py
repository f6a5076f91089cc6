"""Goes through a GraphDef and its functions: what runs when a tensor is asked for, and where a value comes from."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

_FIRST_ARGUMENT = {
    "PartitionedCall": 0, "StatefulPartitionedCall": 0, "While": 0, "StatelessWhile": 0, "If": 1, "StatelessIf": 1,
    "Case": 1, "StatelessCase": 1,
}  # fmt: skip
"""Operations that call functions, and which of their inputs is the first argument."""
_USES = frozenset({"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"})
UNKNOWN = "?"
"""A source that cannot be followed."""


class GraphWalk:
    """One graph. A scope is the name of a function, or "" for the graph itself."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._functions: dict[str, Any] = {f.signature.name: f for f in graph.library.function}
        self._nodes: dict[str, dict[str, Any]] = {"": {node.name: node for node in graph.node}}
        self._nodes |= {name: {n.name: n for n in f.node_def} for name, f in self._functions.items()}

    def everywhere(self) -> Iterator[tuple[str, Any]]:
        """Every node of the graph and of its functions, with its scope."""
        for node in self._graph.node:
            yield "", node
        for function in self._graph.library.function:
            for node in function.node_def:
                yield function.signature.name, node

    def operations(self, tensors: Iterable[str]) -> set[str]:
        """Operations that may run when these tensors of the graph are asked for.

        Of a function that is called every node counts: those with side effects run whether asked for or not.
        """
        nodes, called = self._nodes[""], set[str]()
        waiting, seen, found = [_node_name(t) for t in tensors], set[str](), set[str]()
        while waiting:
            node = nodes.get(waiting.pop())
            if node is None or node.name in seen:
                continue
            seen.add(node.name)
            found.add(node.op)
            called |= self._called(node)
            waiting += map(_node_name, node.input)
        return found | self._inside(called)

    def _inside(self, functions: set[str]) -> set[str]:
        """Operations of functions and of all that they call."""
        waiting, seen, found = list(functions), set[str](), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for node in self._nodes[name].values():
                found.add(node.op)
                waiting += self._called(node)
        return found

    def _called(self, node: Any) -> set[str]:
        """Functions that a node names, in whatever attribute."""
        names = {node.op}
        for value in node.attr.values():
            names |= {value.func.name, *(func.name for func in value.list.func)}
        return names & self._functions.keys()

    def roots(self, scope: str, source: str) -> set[str]:
        """Nodes of the graph that a value comes from, or ``UNKNOWN``; copies and arguments are followed."""
        found, waiting, seen = set[str](), [(scope, source)], set[tuple[str, str]]()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            scope, name = place[0], _node_name(place[1])
            node = self._nodes[scope].get(name)
            if node is not None and node.op == "Identity":
                waiting.append((scope, node.input[0]))
            elif node is not None and not scope and node.op == "ReadVariableOp":
                waiting += [("", value) for value in self._assigned(_node_name(node.input[0]))]
            elif not scope:
                found.add(name)
            elif node is not None:
                found.add(UNKNOWN)
            else:
                waiting += self._arguments(scope, name) or [("", UNKNOWN)]
        return found

    def _assigned(self, handle: str) -> list[str]:
        """What the graph assigns to a variable that no function and no second handle reaches."""
        node = self._nodes[""].get(handle)
        if node is None or node.op != "VarHandleOp" or self._shared_names.count(_shared_name(node)) != 1:
            return [UNKNOWN]
        users = [user for user in self._graph.node if handle in map(_node_name, user.input)]
        if any(user.op not in _USES for user in users):
            return [UNKNOWN]
        return [user.input[1] for user in users if user.op == "AssignVariableOp"]

    @cached_property
    def _shared_names(self) -> list[str]:
        return [_shared_name(node) for _scope, node in self.everywhere() if "shared_name" in node.attr]

    def _arguments(self, function: str, argument: str) -> list[tuple[str, str]]:
        """What is given for an argument wherever the function is called."""
        names = [arg.name for arg in self._functions[function].signature.input_arg]
        if argument not in names:
            return []
        found = []
        for scope, node in self._callers.get(function, ()):
            first = _FIRST_ARGUMENT.get(node.op, 0 if node.op == function else None)
            at = None if first is None else first + names.index(argument)
            found.append((scope, node.input[at]) if at is not None and at < len(node.input) else ("", UNKNOWN))
        return found

    @cached_property
    def _callers(self) -> dict[str, list[tuple[str, Any]]]:
        callers: dict[str, list[tuple[str, Any]]] = {}
        for scope, node in self.everywhere():
            for name in self._called(node):
                callers.setdefault(name, []).append((scope, node))
        return callers


def _shared_name(node: Any) -> str:
    name: str = node.attr["shared_name"].s.decode("utf-8", "replace")
    return name or str(node.name)


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]

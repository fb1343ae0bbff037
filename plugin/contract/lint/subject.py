"""A document while it is linted: what several rules ask of it, worked out once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from plugin.contract.names import names
from plugin.contract.operation import Contract, Operation
from plugin.contract.pointer import MISSING, child, look_up
from plugin.contract.schema import keywords
from plugin.contract.schema.references import References, Unresolvable
from plugin.contract.tools import ToolSet, make_tools


@dataclass
class Subject:
    """A contract at one door; `size` is that of its text in bytes."""

    contract: Contract
    target: str
    size: int = 0

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What can be called."""
        return self.contract.operations

    @cached_property
    def named(self) -> dict[str, Operation]:
        """The operations by the names that their tools get."""
        return names(self.contract)

    @cached_property
    def made(self) -> ToolSet:
        """The tools that this project makes for the door."""
        return make_tools(self.contract, self.target)

    @property
    def servers(self) -> list[tuple[str, str]]:
        """Where each server address stands, and the address: the document's, then others."""
        found = {f"/servers/{at}": url for at, url in enumerate(self.contract.servers)}
        for operation in self.operations:
            pointer, _ = self.written(operation, "servers")
            found |= {f"{pointer}/{at}": url for at, url in enumerate(operation.servers)}
        return list(found.items())

    def written(self, operation: Operation, key: str) -> tuple[str, Any]:
        """What an operation says under a key, else its path item, and where that stands."""
        places = (operation.pointer, operation.pointer.rpartition("/")[0])
        for place in places:
            pointer = child(place, key)
            value = look_up(self.contract.document, pointer)
            if value is not MISSING:
                return pointer, value
        return operation.pointer, None

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """What the document calls a parameter, or a property of a request body, by pointer."""
        found = {
            one.pointer: look_up(self.contract.document, one.pointer)
            for operation in self.operations
            for one in operation.parameters
        }
        bodies = [one.body for one in self.operations if one.body]
        return found | dict(self._properties([child(body.pointer, "schema") for body in bodies]))

    def _properties(self, roots: list[str]) -> Iterator[tuple[str, Any]]:
        """The properties within some schemas, each once, whatever refers to it how often."""
        references = References(self.contract.document)
        seen, waiting = set(roots), [(pointer, False) for pointer in reversed(roots)]
        while waiting:
            pointer, is_property = waiting.pop()
            node = look_up(self.contract.document, pointer)
            if not isinstance(node, dict):
                continue
            if is_property:
                yield pointer, node
            further = [*_inside(node, pointer), *_target(references, node, is_property)]
            for one in reversed(further):
                if one[0] not in seen:
                    seen.add(one[0])
                    waiting.append(one)


def _target(
    references: References,
    node: Mapping[str, Any],
    is_property: bool,  # noqa: FBT001 - passed on
) -> Iterator[tuple[str, bool]]:
    """What a schema refers to; what a property refers to speaks for the property."""
    if "$ref" in node:
        try:
            yield references.locate(node["$ref"]), is_property
        except Unresolvable:
            return


def _inside(node: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, bool]]:
    """The schemas directly inside a schema as written, and whether each is a property."""
    for keyword, value in node.items():
        where = child(pointer, keyword)
        if keyword in keywords.SCHEMA and isinstance(value, dict):
            yield where, False
        elif keyword in keywords.SCHEMAS and isinstance(value, list):
            yield from ((child(where, index), False) for index in range(len(value)))
        elif keyword in keywords.SCHEMA_MAP and isinstance(value, dict):
            yield from ((child(where, name), keyword == "properties") for name in value)

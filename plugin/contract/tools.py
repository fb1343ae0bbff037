"""Operations as a model sees them: tools for one target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from plugin.contract.answers import success_parts
from plugin.contract.limits import Excess
from plugin.contract.names import names
from plugin.contract.operation import Contract, Note, Operation, Schema
from plugin.contract.schema.validation import resolve
from plugin.contract.slim import Slimmer
from plugin.contract.strict import Inexpressible, Strict, TooLarge
from plugin.contract.targets import DESCRIPTION, MCP_OUTPUT_SCHEMA, TARGETS, Target
from plugin.contract.words import describe, title
from plugin.errors import CannotRun

__all__ = ["ToolSet", "make_tools", "names"]

_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_REPEATABLE = _READS | {"PUT", "DELETE"}
_CONSEQUENTIAL = "x-openai-isConsequential"

Tool = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of a contract for one target.

    `operations` leads back from a tool's name. `skipped` are the operations that became no tool,
    `notes` the optional parts that a tool had to do without; each says why. `excesses` are the
    numbers for which operations were skipped, by their pointers.
    """

    tools: list[Tool]
    operations: dict[str, Operation]
    skipped: list[Note]
    notes: list[Note]
    excesses: dict[str, tuple[Excess, ...]] = field(default_factory=dict)


def make_tools(contract: Contract, target: str) -> ToolSet:
    """Every operation as a tool of `target`. Raises CannotRun for a target that is not known."""
    known = next((name for name in TARGETS if name == target), None)
    if known is None:
        raise CannotRun(f"no target {target!r}: one of {', '.join(TARGETS)}")
    maker = _Maker(known)
    named = names(contract)
    small = {name: maker.slimmer.slim(operation.schema) for name, operation in named.items()}
    result = ToolSet([], {}, list(contract.skipped), [])
    if known == "openai-strict":
        small = _strict(small, named, result)
    for name, schema in small.items():
        result.tools.append(maker.make(name, named[name], schema))
        result.operations[name] = named[name]
    return result


def _strict(
    small: Mapping[str, dict[str, Any]], named: Mapping[str, Operation], result: ToolSet
) -> dict[str, dict[str, Any]]:
    """The schemas that strict mode can express; the others go to `skipped`."""
    # Within one contract a name in $defs means one schema, so all of them are converted together.
    definitions: dict[str, Schema] = {}
    for schema in small.values():
        definitions |= schema.get("$defs", {})
    strict = Strict(definitions)
    found: dict[str, dict[str, Any]] = {}
    told: set[str] = set()
    for name, schema in small.items():
        pointer = named[name].pointer
        try:
            found[name], left_out = strict.convert(schema)
        except Inexpressible as reason:
            result.skipped.append(Note(pointer, f"strict mode cannot express it: {reason}"))
            if isinstance(reason, TooLarge):
                result.excesses[pointer] = reason.excesses
            continue
        # A shared part is told of once, with the first operation that uses it.
        for part, what in left_out.items():
            if part not in told:
                owner = f" of {part}" if part else ""
                result.notes.append(Note(pointer, f"strict mode does without{owner}: {what}"))
        told |= left_out.keys() - {""}
    return found


class _Maker:
    """Dresses schemas as the target wants them."""

    def __init__(self, target: Target) -> None:
        self.slimmer = Slimmer()
        self._answers = Slimmer(hidden="writeOnly")
        self._limit = DESCRIPTION[target].number
        self.make: Callable[[str, Operation, dict[str, Any]], Tool] = {
            "openai": self._openai,
            "openai-strict": self._openai_strict,
            "responses": self._responses,
            "anthropic": self._anthropic,
            "mcp": self._mcp,
        }[target]

    def _openai(self, name: str, operation: Operation, schema: dict[str, Any]) -> Tool:
        function = {"name": name, "description": self._words(operation), "parameters": schema}
        return {"type": "function", "function": function}

    def _openai_strict(self, name: str, operation: Operation, schema: dict[str, Any]) -> Tool:
        tool = self._openai(name, operation, schema)
        tool["function"]["strict"] = True
        return tool

    def _responses(self, name: str, operation: Operation, schema: dict[str, Any]) -> Tool:
        return {
            "type": "function",
            "name": name,
            "description": self._words(operation),
            "parameters": schema,
            # This door makes a tool strict unless it is told not to.
            "strict": False,
        }

    def _anthropic(self, name: str, operation: Operation, schema: dict[str, Any]) -> Tool:
        return {"name": name, "description": self._words(operation), "input_schema": schema}

    def _mcp(self, name: str, operation: Operation, schema: dict[str, Any]) -> Tool:
        tool = {
            "name": name,
            "title": title(operation, name),
            "description": self._words(operation),
            "inputSchema": schema,
        }
        output = self._output(operation)
        if output is not None:
            tool["outputSchema"] = output
        tool["annotations"] = _annotations(operation)
        return tool

    def _words(self, operation: Operation) -> str:
        return describe(operation, self._limit)

    def _output(self, operation: Operation) -> dict[str, Any] | None:
        """The success answer's schema, where it is an object and small enough to be listed."""
        schema, definitions = success_parts(operation) or (True, {})
        root = resolve(schema, {"$defs": definitions})
        if not isinstance(root, dict) or root.get("type") != "object":
            return None
        own = {key: value for key, value in root.items() if key != "$defs"}
        return self._answers.slim_within(own, definitions, MCP_OUTPUT_SCHEMA.number)


def _annotations(operation: Operation) -> dict[str, bool]:
    """What a client may tell its user before a call; the author's word is above the method."""
    consequential = operation.extensions.get(_CONSEQUENTIAL)
    said = operation.extensions.get("x-read-only")
    reads = (operation.method in _READS or said is True) and consequential is not True
    return {
        "readOnlyHint": reads,
        "destructiveHint": not reads and consequential is not False,
        "idempotentHint": reads
        or operation.method in _REPEATABLE
        or operation.extensions.get("x-idempotent") is True,
        "openWorldHint": operation.extensions.get("x-open-world") is not False,
    }

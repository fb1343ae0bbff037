"""What the doors of function calling ask of the tools that a document becomes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from plugin.contract import targets
from plugin.contract.answers import success_parts
from plugin.contract.lint.finding import Hit, Level, Rule
from plugin.contract.lint.subject import Subject
from plugin.contract.operation import Operation, Schema
from plugin.contract.pointer import child
from plugin.contract.requests.payload import json_bytes
from plugin.contract.schema.validation import definitions_used, subschemas
from plugin.contract.source import mapping
from plugin.contract.targets import Demand, Limit
from plugin.contract.words import describe

_ENDLESS = 10**9
_PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MCP = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})

_OPENAI = ("openai", "openai-strict", "responses")
_STRICT = ("openai-strict",)
_ANTHROPIC = ("anthropic",)
_MCP_DOOR = ("mcp",)

Check = Callable[[Subject], Iterator[Hit]]


def _odd_name(legal: re.Pattern[str], but: re.Pattern[str] | None = None) -> Check:
    """Ids that are no names for a door; those that `but` knows are told elsewhere."""

    def check(subject: Subject) -> Iterator[Hit]:
        named = {id(operation): name for name, operation in subject.named.items()}
        for operation in subject.operations:
            wanted = operation.operation_id
            if wanted is None or legal.fullmatch(wanted) or (but and not but.fullmatch(wanted)):
                continue
            message = f"{wanted!r} is no name here; the tool is called {named[id(operation)]!r}"
            yield Hit(child(operation.pointer, "operationId"), message, wanted)

    return check


def _many_tools(subject: Subject) -> Iterator[Hit]:
    count = len(subject.made.tools)
    if count > targets.OPENAI_TOOLS.number:
        yield Hit("/paths", f"{count:,} tools, and {targets.OPENAI_TOOLS.number} are taken", count)


def _long_words(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        length = len(describe(operation, _ENDLESS))
        if length > targets.OPENAI_DESCRIPTION.number:
            message = f"{length:,} characters of summary and description; the tool's are cut"
            yield Hit(operation.pointer, message, length)


# -- strict mode -------------------------------------------------------------------------------


def _over(limit: Limit) -> Check:
    def check(subject: Subject) -> Iterator[Hit]:
        for pointer, excesses in subject.made.excesses.items():
            for one in excesses:
                if one.limit is limit:
                    yield Hit(pointer, f"{one.number:,} {one.what}", one.number)

    return check


def _inexpressible(subject: Subject) -> Iterator[Hit]:
    known = {*subject.contract.skipped}
    for note in subject.made.skipped:
        if note not in known and note.pointer not in subject.made.excesses:
            yield Hit(note.pointer, note.reason)


def _left_out(subject: Subject) -> Iterator[Hit]:
    for note in subject.made.notes:
        yield Hit(note.pointer, note.reason)


# -- Anthropic, should its tools be sent as strict ones ----------------------------------------


def _schemas(subject: Subject) -> Iterator[tuple[Operation, dict[str, Any]]]:
    """Each operation, and every schema within the arguments of its tool, definitions too."""
    for tool in subject.made.tools:
        operation = subject.made.operations[tool["name"]]
        root = tool["input_schema"]
        waiting: list[Schema] = [root, *root.get("$defs", {}).values()]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                yield operation, node
                waiting.extend(subschemas(node))


def _many_strict(subject: Subject) -> Iterator[Hit]:
    count = len(subject.made.tools)
    if count > targets.ANTHROPIC_STRICT_TOOLS.number:
        yield Hit("/paths", f"{count:,} tools, should all of them be strict", count)


def _many(limit: Limit, what: str, count: Callable[[dict[str, Any]], int]) -> Check:
    def check(subject: Subject) -> Iterator[Hit]:
        total = sum(count(schema) for _, schema in _schemas(subject))
        if total > limit.number:
            yield Hit("/paths", f"{total:,} {what} in all tools, should they be strict", total)

    return check


def _optional(schema: dict[str, Any]) -> int:
    return len(set(schema.get("properties", ())) - set(schema.get("required", ())))


def _unions(schema: dict[str, Any]) -> int:
    parts = [one for one in schema.get("properties", {}).values() if isinstance(one, dict)]
    return sum(
        "anyOf" in one or "oneOf" in one or isinstance(one.get("type"), list) for one in parts
    )


def _recursion(subject: Subject) -> Iterator[Hit]:
    for tool in subject.made.tools:
        circle = _circle(tool["input_schema"].get("$defs", {}))
        if circle:
            pointer = subject.made.operations[tool["name"]].pointer
            yield Hit(pointer, f"{circle} refers to itself, should the tool be strict", circle)


def _circle(definitions: dict[str, Schema]) -> str | None:
    """A definition that leads back to itself."""
    uses = {name: set(definitions_used(schema)) for name, schema in definitions.items()}
    for name, direct in uses.items():
        reached: set[str] = set()
        waiting = set(direct)
        while waiting:
            reached |= waiting
            waiting = set().union(*(uses.get(one, set()) for one in waiting)) - reached
        if name in reached:
            return name
    return None


def _bounds(subject: Subject) -> Iterator[Hit]:
    bounded = [operation for operation, schema in _schemas(subject) if _BOUNDS & schema.keys()]
    if bounded:
        count = len(bounded)
        message = f"bounds of {count} numbers, should the tools be strict"
        yield Hit(bounded[0].pointer, message, count)


# -- MCP ---------------------------------------------------------------------------------------


def _large_output(subject: Subject) -> Iterator[Hit]:
    listed = {tool["name"] for tool in subject.made.tools if "outputSchema" in tool}
    limit = targets.MCP_OUTPUT_SCHEMA.number
    for name, operation in subject.made.operations.items():
        parts = success_parts(operation)
        if name in listed or parts is None or not mapping(parts[0]):
            continue
        size = _reached_size(*parts, limit)
        if size > limit:
            message = f"the answer's schema is over {limit:,} bytes, so the tool is listed without"
            yield Hit(operation.pointer, message, size)


def _reached_size(schema: Schema, definitions: Any, enough: int) -> int:
    """Bytes of a schema with what it refers to, counted until they are enough."""
    size, seen, waiting = len(json_bytes("schema", schema)), set[str](), [schema]
    while waiting and size <= enough:
        for name in definitions_used(waiting.pop()):
            if name not in seen and name in definitions:
                seen.add(name)
                size += len(json_bytes("schema", definitions[name]))
                waiting.append(definitions[name])
    return size


def _no_hints(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        if operation.method in _READS:
            continue
        if not isinstance(operation.extensions.get("x-openai-isConsequential"), bool):
            message = (
                f"{operation.method} counts as destructive; if it is not, say so with "
                "x-openai-isConsequential: false"
            )
            yield Hit(operation.pointer, message)


def _rule(
    name: str, level: Level, doors: tuple[str, ...], stands_on: Limit | Demand, check: Check
) -> Rule[Subject]:
    return Rule(name, level, frozenset(doors), stands_on, check)


def _strict(name: str, limit: Limit) -> Rule[Subject]:
    return _rule(f"strict-{name}", Level.ERROR, _STRICT, limit, _over(limit))


def _anthropic(name: str, stands_on: Limit | Demand, check: Check, level: Level) -> Rule[Subject]:
    return _rule(f"anthropic-{name}", level, _ANTHROPIC, stands_on, check)


_LOSS, _NOTE = Level.WARNING, Level.NOTE

RULES: tuple[Rule[Subject], ...] = (
    _rule("tool-name", _LOSS, ("actions", *_OPENAI), targets.PORTABLE_NAME, _odd_name(_PORTABLE)),
    _rule("tools", Level.ERROR, _OPENAI, targets.OPENAI_TOOLS, _many_tools),
    _rule("tool-description", _LOSS, targets.TARGETS, targets.OPENAI_DESCRIPTION, _long_words),
    _strict("properties", targets.STRICT_PROPERTIES),
    _strict("depth", targets.STRICT_DEPTH),
    _strict("enum-values", targets.STRICT_ENUM_VALUES),
    _strict("long-enum", targets.STRICT_LONG_ENUM_TEXT),
    _strict("text", targets.STRICT_TEXT),
    _rule("strict-inexpressible", Level.ERROR, _STRICT, targets.STRICT_SUBSET, _inexpressible),
    _rule("strict-left-out", _LOSS, _STRICT, targets.STRICT_SUBSET, _left_out),
    _anthropic("name", targets.ANTHROPIC_NAME, _odd_name(_PORTABLE), _LOSS),
    _anthropic("strict-tools", targets.ANTHROPIC_STRICT_TOOLS, _many_strict, _LOSS),
    _anthropic(
        "strict-optional",
        targets.ANTHROPIC_STRICT_OPTIONAL,
        _many(targets.ANTHROPIC_STRICT_OPTIONAL, "optional parameters", _optional),
        _LOSS,
    ),
    _anthropic(
        "strict-unions",
        targets.ANTHROPIC_STRICT_UNIONS,
        _many(targets.ANTHROPIC_STRICT_UNIONS, "parameters of several types", _unions),
        _LOSS,
    ),
    _anthropic("strict-recursion", targets.ANTHROPIC_STRICT_RECURSION, _recursion, _LOSS),
    _anthropic("strict-bounds", targets.ANTHROPIC_STRICT_BOUNDS, _bounds, _NOTE),
    _rule("mcp-name", _LOSS, _MCP_DOOR, targets.MCP_NAME, _odd_name(_MCP)),
    _rule(
        "mcp-portable-name",
        _NOTE,
        _MCP_DOOR,
        targets.PORTABLE_NAME,
        _odd_name(_PORTABLE, but=_MCP),
    ),
    _rule("mcp-output-schema", _NOTE, _MCP_DOOR, targets.MCP_OUTPUT_SCHEMA, _large_output),
    _rule("mcp-annotations", _NOTE, _MCP_DOOR, targets.MCP_ANNOTATIONS, _no_hints),
)

"""What is computed from a caller's schema: its grammar, a value to fall back on, verdicts.

Nothing here has a bound of its own: `schema_work` decides where it runs, and for how long.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plugin.engines.llama.grammar.compact_json import compact
from plugin.engines.llama.grammar.evidence import narrowed
from plugin.engines.llama.grammar.minimal import minimal
from plugin.engines.llama.grammar.schema import LADDER, WIDE, Grammar, Impossible, grammar
from plugin.engines.llama.grammar.schema_form import Form, Oversized

_FORMAT_ROOM = 4096
_TOOL_LADDER = LADDER[1:]
"""Arguments are short: what this model writes beyond goes in circles."""


class Unfit(ValueError):  # noqa: N818 - it says what the schema is
    """A schema that the embedded engine cannot follow; the message says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A schema as the engine takes it.

    `grammar` is tried first, `wider` where that gave no valid value; `least` is a valid value as
    JSON text. `offered` are the arguments that a tool's grammar lets through.
    """

    grammar: Grammar
    wider: Grammar
    least: str
    offered: tuple[str, ...] = ()


def of_format(schema: Any) -> Prepared:
    """A schema of `response_format`. Raises Unfit."""
    try:
        form = Form(schema)
        found = grammar(form, room=_FORMAT_ROOM, ladder=(WIDE, *LADDER))
        return Prepared(found, found, _least(form, found))
    except (Oversized, Impossible) as reason:
        raise Unfit(str(reason)) from None


def of_tool(schema: Any, asking: str, request: str, room: int) -> Prepared:
    """A tool's parameters, narrowed to what `request` says where that is possible. Raises Unfit.

    `asking` is the tool's name and description; a value shall have at most `room` bytes.
    """
    try:
        form = Form(schema)
        wide = grammar(form, room=room, ladder=_TOOL_LADDER)
        narrow = narrowed(form, request, asking)
        try:
            found = grammar(narrow, room=room, ladder=_TOOL_LADDER)
        except (Oversized, Impossible):
            narrow, found = form, wide
        return Prepared(found, wide, _least(form, found, wide), _offered(narrow))
    except (Oversized, Impossible) as reason:
        raise Unfit(str(reason)) from None


def judged(schema: Any, text: str) -> str | None:
    """A JSON text in its shortest form; None if it is not valid by the schema. Raises Unfit."""
    try:
        return _judged(Form(schema), text)
    except Oversized as reason:
        raise Unfit(str(reason)) from None


def carried_out(task: str, arguments: Mapping[str, Any]) -> Any:
    """One of the tasks above by name, its result as JSON can hold it. Raises Unfit."""
    found = _TASKS[task](**arguments)
    return asdict(found) if isinstance(found, Prepared) else found


def read_prepared(value: Mapping[str, Any]) -> Prepared:
    """A `Prepared` out of JSON."""
    return Prepared(
        Grammar(**value["grammar"]),
        Grammar(**value["wider"]),
        value["least"],
        tuple(value["offered"]),
    )


_TASKS: Mapping[str, Callable[..., Any]] = {
    "format": of_format,
    "tool": of_tool,
    "judge": judged,
}


def _least(form: Form, *grammars: Grammar) -> str:
    """The least valid value: of what the message says where possible. Raises Impossible."""
    for each in grammars:
        found = each.shortest if each.exact else _judged(form, each.shortest)
        if found is not None:
            return found
    return compact(minimal(form))


def _judged(form: Form, text: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return compact(value) if form.validator.is_valid(value) else None


def _offered(form: Form) -> tuple[str, ...]:
    root = form.root
    return tuple(root.get("properties", ())) if isinstance(root, dict) else ()

"""Wrong in the writing: arguments that are no JSON, functions that do not exist, calls made twice.

The varieties are those found in real outputs.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from plugin.harness.edits import put
from plugin.harness.faults import FaultKind
from plugin.harness.json_text import NotJson, dumps, loads
from plugin.harness.mistakes.slip import Good, Slip, Undo, starting_anywhere
from plugin.harness.sites import Schemas

_PLACE = "\ue000"
"""Stands in JSON for an expression that JSON has no way to hold."""

Written = tuple[str, Schemas]
"""A text, and the schemas of the place where it is wrong, if it is one place."""

_PARALLEL = "multi_tool_use.parallel"
_HALF = 0.5


def not_json(good: Good, random: Random) -> Slip | None:
    """Arguments that no reader of JSON takes."""
    for variety, write, undo in starting_anywhere(list(_WRITERS), random):
        written = write(good, random)
        if written is not None:
            text, schemas = written
            return Slip(variety, FaultKind.NOT_JSON, (), text, undo, schemas)
    return None


def unknown_function(good: Good, random: Random) -> Slip | None:
    """A function that does not exist: OpenAI's own wrapper for parallel calls, or misspelt."""
    if good.names is None:
        return None
    kind, schemas = FaultKind.UNKNOWN_FUNCTION, good.root.schemas
    if random.random() < _HALF and _PARALLEL not in good.names:
        use = {"recipient_name": f"functions.{good.call.name}", "parameters": good.arguments}
        arguments = {"tool_uses": [use]}
        return Slip("parallel", kind, (), arguments, "", schemas, good.call.name, _PARALLEL)
    name = _misspelt(good.call.name, random)
    if name in good.names:
        return None
    return Slip("misspelt", kind, (), good.arguments, "", schemas, good.call.name, name)


def duplicate_parallel(good: Good, _: Random) -> Slip | None:
    """The same call twice in one reply."""
    kind = FaultKind.DUPLICATE_PARALLEL
    return Slip("twice", kind, (), good.arguments, "", good.root.schemas, times=2)


def _misspelt(name: str, random: Random) -> str:
    """A letter twice or one left out, as in `get_reigion_history`."""
    at = random.randrange(len(name)) if name else 0
    shorter = f"{name[:at]}{name[at + 1 :]}"
    return shorter if shorter and random.random() < _HALF else name[: at + 1] + name[at:]


def _text(good: Good) -> str:
    written = good.call.arguments
    if isinstance(written, str) and written.strip():
        return written.strip()
    return dumps(good.arguments).decode()


def _cut_off(good: Good, random: Random) -> Written:
    text = _text(good)
    return text[: random.randrange(max(1, len(text) // 2), len(text))], ()


def _comment(good: Good, _: Random) -> Written:
    return f"{_text(good)[:-1]} // as the user asked\n}}", ()


def _fence(good: Good, _: Random) -> Written:
    return f"```json\n{_text(good)}\n```", ()


def _trailing_token(good: Good, _: Random) -> Written:
    return f"{_text(good)}<|call|>", ()


def _python_repr(good: Good, _: Random) -> Written | None:
    text = repr(good.arguments)
    try:
        loads(text)
    except NotJson:
        return text, ()
    return None  # without text, Python's words and JSON's can be the same


def _not_a_number(good: Good, random: Random) -> Written | None:
    return _with_expression(good, random, "NaN")


def _fraction(good: Good, random: Random) -> Written | None:
    return _with_expression(good, random, "1/6")


def _with_expression(good: Good, random: Random, expression: str) -> Written | None:
    """The arguments with an expression where a number stood."""
    numbers = [site for site in good.sites if type(site.value) in (int, float)]
    for site in starting_anywhere(numbers, random):
        marked: Any = put(good.arguments, site.path, _PLACE)
        text = json.dumps(marked, ensure_ascii=False).replace(f'"{_PLACE}"', expression)
        return text, site.schemas
    return None


_WRITERS: tuple[tuple[str, Callable[[Good, Random], Written | None], Undo], ...] = (
    ("cut_off", _cut_off, ""),
    ("comment", _comment, ""),
    ("fence", _fence, "lossless"),
    ("nan", _not_a_number, ""),
    ("expression", _fraction, ""),
    ("trailing_token", _trailing_token, "lossless"),
    ("python_repr", _python_repr, ""),
)

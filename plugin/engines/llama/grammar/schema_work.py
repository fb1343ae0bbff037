"""Where a caller's schema is worked on: small ones at once, all others in a helper process.

Small means that the work is linear in the schema, has no regular expression of the caller, and ends
within milliseconds. Everything else runs under the budget of `SchemaPool`. What was prepared, or
refused, is kept by the hash of the schema, so that asking again costs nothing.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from plugin.engines.llama.grammar.preparation import Prepared, Unfit, carried_out, read_prepared
from plugin.engines.llama.grammar.schema_form import Oversized, measure
from plugin.engines.llama.grammar.schema_pool import SchemaPool

_MOST_CHARACTERS = 1_000_000
_KEPT = 256
_KEPT_CHARACTERS = 8_000_000

_PLAIN_PARTS = 24
_PLAIN_LEVELS = 4
_PLAIN_CHARACTERS = 2_000
_PLAIN_REQUEST = 1_000
_PLAIN_NUMBER = 10**9
_PLAIN_BRANCHES = 4
_PLAIN = frozenset(
    {"type", "properties", "required", "items", "enum", "const", "anyOf", "additionalProperties"}
    | {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format"}
    | {"title", "description", "examples", "nullable", "strict"}
)
"""Keywords of a small schema: what they say of one part costs no look at the others."""


class SchemaWork:
    """Prepares schemas and judges answers, for all requests of one worker."""

    def __init__(self, pool: SchemaPool | None = None) -> None:
        self._pool = pool or SchemaPool()
        self._known: OrderedDict[bytes, Prepared | Unfit] = OrderedDict()
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._characters = 0

    async def of_format(self, schema: Any) -> Prepared:
        """A schema of `response_format`, ready for the engine. Raises Unfit."""
        return await self._prepared("format", {"schema": schema}, plain=is_plain(schema))

    async def of_tool(self, schema: Any, asking: str, request: str, room: int) -> Prepared:
        """A tool's parameters, narrowed to the request, ready for the engine. Raises Unfit."""
        plain = len(request) + len(asking) <= _PLAIN_REQUEST and is_plain(schema)
        told = {"schema": schema, "asking": asking, "request": request, "room": room}
        return await self._prepared("tool", told, plain=plain)

    async def judged(self, schema: Any, text: str) -> str | None:
        """A JSON text in its shortest form; None if it is not valid. Raises Unfit."""
        told = {"schema": schema, "text": text}
        if is_plain(schema):
            found: str | None = carried_out("judge", told)
        else:
            found = await self._pool.carried_out("judge", told)
        return found

    async def _prepared(self, task: str, told: Mapping[str, Any], *, plain: bool) -> Prepared:
        key = _key(task, told)
        async with self._locks.setdefault(
            key, asyncio.Lock()
        ):  # choices of one request come at once
            known = self._known.get(key)
            if known is None:
                known = await self._worked_out(task, told, plain=plain)
                self._keep(key, known)
            self._known.move_to_end(key)
        if isinstance(known, Unfit):
            raise Unfit(str(known))
        return known

    async def _worked_out(
        self, task: str, told: Mapping[str, Any], *, plain: bool
    ) -> Prepared | Unfit:
        try:
            work = carried_out(task, told) if plain else await self._pool.carried_out(task, told)
        except Unfit as reason:
            return reason
        return read_prepared(work)

    def _keep(self, key: bytes, found: Prepared | Unfit) -> None:
        if key not in self._known:
            self._characters += _size(found)
        self._known[key] = found
        while len(self._known) > _KEPT or self._characters > _KEPT_CHARACTERS:
            self._characters -= _size(self._known.popitem(last=False)[1])

    def close(self) -> None:
        """End the helper processes."""
        self._pool.close()


def is_plain(schema: Any) -> bool:
    """Whether work on a schema is small; looks at no more parts than a small one has."""
    waiting = [(schema, 0)]
    parts = characters = 0
    while waiting:
        node, level = waiting.pop()
        parts += 1
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict) or not node.keys() <= _PLAIN or level > _PLAIN_LEVELS:
            return False
        inner = _inner(node)
        values = [value for key, value in node.items() if key not in _HOLDING]
        characters += sum(map(_characters, values))
        if inner is None or parts + len(inner) > _PLAIN_PARTS or characters > _PLAIN_CHARACTERS:
            return False
        waiting += [(part, level + 1) for part in inner]
    return True


_HOLDING = frozenset({"properties", "items", "anyOf", "additionalProperties"})


def _inner(node: Mapping[str, Any]) -> list[Any] | None:
    """The schemas directly inside a part; None if they are not where they belong."""
    members, branches = node.get("properties", {}), node.get("anyOf", [])
    if not isinstance(members, dict) or not isinstance(branches, list):
        return None
    if len(branches) > _PLAIN_BRANCHES or any(map(_holds, branches)):
        return None
    if sum(map(len, members)) > _PLAIN_CHARACTERS:
        return None
    alone = [node[key] for key in ("items", "additionalProperties") if key in node]
    return [*members.values(), *branches, *alone]


def _holds(branch: Any) -> bool:
    """Whether an alternative has parts of its own: what stands beside is merged into each."""
    return isinstance(branch, dict) and bool(branch.keys() & _HOLDING)


def _characters(value: Any) -> int:
    """How much a keyword says; more than is small where that cannot be seen at once."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        flat = all(isinstance(item, str | int | float | None) for item in value[:_PLAIN_PARTS])
        small = flat and len(value) <= _PLAIN_PARTS
        return sum(map(_characters, value)) if small else _PLAIN_CHARACTERS + 1
    if isinstance(value, int | float):
        return 1 if abs(value) <= _PLAIN_NUMBER else _PLAIN_CHARACTERS + 1
    return 1 if value is None else _PLAIN_CHARACTERS + 1


def _size(found: Prepared | Unfit) -> int:
    if isinstance(found, Unfit):
        return len(str(found))
    return len(found.grammar.text) + len(found.wider.text) + len(found.least)


def _key(task: str, told: Mapping[str, Any]) -> bytes:
    """The hash of a task. Raises Unfit for a schema that is too deep or too large to look at."""
    try:
        measure(told["schema"])
    except Oversized as reason:
        raise Unfit(str(reason)) from None
    content = json.dumps([task, told]).encode()
    if len(content) > _MOST_CHARACTERS:
        raise Unfit(f"it has more than {_MOST_CHARACTERS:,} characters")
    return hashlib.blake2b(content, digest_size=16).digest()

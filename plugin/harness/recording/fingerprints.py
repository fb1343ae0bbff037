"""What a recording remembers of an operation's contract, to see whether it is still the same one.

Words for people (descriptions, examples) do not count; how a call is made and judged does.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from plugin.contract.operation import Operation
from plugin.harness.formats.format import mapping
from plugin.harness.json_text import dumps

_WORDS = frozenset(
    {"description", "title", "example", "examples", "default", "deprecated", "$comment"}
)
_NAMED = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_LITERAL = frozenset({"enum", "const", "required", "type"})


def fingerprint(operation: Operation) -> dict[str, Any]:
    """How an operation is called: route, required arguments, and a digest of each argument."""
    schema = operation.schema
    places = {
        one.argument: (one.name, one.location, one.style, one.explode, one.media_type)
        for one in operation.parameters
    }
    rest = {key: part for key, part in schema.items() if key not in ("properties", "required")}
    media_type = operation.body.media_type if operation.body else None
    return {
        "route": f"{operation.method} {operation.path}",
        "required": sorted(schema.get("required", ())),
        "arguments": {
            name: _digest([places.get(name), _bare(part)])
            for name, part in mapping(schema.get("properties")).items()
        },
        "rest": _digest([media_type, _bare(rest)]),
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What changed between two fingerprints, in words; empty where nothing did."""
    return list(_changes(before, now))


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if before.get("route") != now["route"]:
        yield f"it was {before.get('route')} and is {now['route']}"
    was, is_now = mapping(before.get("arguments")), now["arguments"]
    for name in dict.fromkeys((*was, *is_now)):
        if name not in is_now:
            yield f"`{name}` is gone"
        elif name not in was:
            yield f"`{name}` is new"
        elif was[name] != is_now[name]:
            yield f"`{name}` is another"
    needed, needs = before.get("required") or [], now["required"]
    yield from (f"`{name}` became required" for name in needs if name not in needed)
    yield from (f"`{name}` became optional" for name in needed if name not in needs)
    if before.get("rest") != now["rest"]:
        yield "a definition that the arguments share, or the body's media type, is another"


def _digest(value: Any) -> str:
    return hashlib.blake2b(dumps(_ordered(value)), digest_size=6).hexdigest()


def _bare(schema: Any) -> Any:
    """A schema without words for people."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: part for key, part in schema.items() if key not in _WORDS}
    return {key: _bare_part(key, part) for key, part in kept.items()}


def _bare_part(key: str, part: Any) -> Any:
    if key in _LITERAL:  # their order means nothing
        return sorted(part, key=dumps) if isinstance(part, list) else part
    if key in _NAMED and isinstance(part, dict):
        return {name: _bare(schema) for name, schema in part.items()}
    return _bare(part)


def _ordered(value: Any) -> Any:
    """The value with the keys of its objects in order."""
    if isinstance(value, list | tuple):
        return [_ordered(part) for part in value]
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return value

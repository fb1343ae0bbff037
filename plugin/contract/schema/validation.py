"""JSON Schema 2020-12: its parts, what it refers to, and the one place for validators."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from plugin.contract.operation import Note, Schema
from plugin.contract.schema import keywords
from plugin.contract.schema.dialect import Dialect

_LOCAL = "#/$defs/"


def validator(schema: Schema) -> jsonschema_rs.Validator:
    """A validator of dialect 2020-12 that judges no formats and fetches nothing.

    A schema that is not valid itself, as recorded tools sometimes carry, is mended first: what
    cannot be understood accepts anything. It never raises for a schema that JSON can hold.
    """
    try:
        return _build(schema)
    except ValueError:
        return _build(mended(schema)[0])


def mended(schema: Schema) -> tuple[Schema, list[Note]]:
    """The schema with every keyword usable, and what had to be changed."""
    if isinstance(schema, bool):
        return schema, []
    notes: list[Note] = []
    dialect = Dialect(_OwnDefinitions(schema, notes), notes, loose_references=False)
    result = dialect.translate(schema, "")
    for holder in ("$defs", "definitions"):
        members = schema.get(holder)
        if isinstance(members, dict) and isinstance(result, dict):
            result[holder] = {
                name: dialect.translate(node, f"/{holder}/{name}") for name, node in members.items()
            }
    return result, notes


def subschemas(schema: Mapping[str, Any]) -> Iterator[Schema]:
    """The schemas directly inside a schema, `$defs` not counted."""
    for keyword, value in schema.items():
        if keyword in keywords.SCHEMA:
            yield value
        elif keyword in keywords.SCHEMAS:
            yield from value
        elif keyword in keywords.SCHEMA_MAP:
            yield from value.values()


def definitions_used(schema: Schema) -> dict[str, None]:
    """The names in `$defs` that a schema refers to itself, in the order of their appearance."""
    found: dict[str, None] = {}
    waiting: list[Schema] = [schema]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        reference = node.get("$ref")
        if isinstance(reference, str) and reference.startswith(_LOCAL):
            found[reference.removeprefix(_LOCAL)] = None
        waiting.extend(reversed(list(subschemas(node))))
    return found


def resolve(schema: Schema, root: Mapping[str, Any]) -> Schema:
    """What a `$ref` leads to in the `$defs` of `root`; keywords beside it are dropped."""
    for _ in range(50):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not (isinstance(reference, str) and reference.startswith(_LOCAL)):
            break
        schema = root.get("$defs", {}).get(reference.removeprefix(_LOCAL), True)
    return schema


def _build(schema: Schema) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=False, offline=True)


class _OwnDefinitions:
    """References of a schema that stands alone: those that lead somewhere stay as they are."""

    def __init__(self, root: dict[str, Any], notes: list[Note]) -> None:
        self._root = root
        self._notes = notes

    def link(self, reference: Any, _base: str, pointer: str) -> str | None:
        for holder in ("$defs", "definitions"):
            start = f"#/{holder}/"
            if isinstance(reference, str) and reference.startswith(start):
                members = self._root.get(holder)
                if isinstance(members, dict) and reference.removeprefix(start) in members:
                    return reference
        if reference == "#":
            return "#"
        self._notes.append(Note(pointer, f"{reference!r} leads nowhere and was read as anything"))
        return None

    def hides(self, _node: dict[str, Any]) -> bool:
        return False

"""The vocabulary of strict mode: types, values, nulls and words of single schemas."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plugin.contract.schema.merge import Inexpressible
from plugin.contract.targets import ACTIONS_PARAMETER
from plugin.contract.words import cut

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_NUMERIC = ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LOOKAROUND = re.compile(r"\(\?<?[=!]|\\[1-9]")

_BY_KEYWORD = (
    ("object", ("properties", "additionalProperties", "required", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", _NUMERIC),
)
"""What type a schema without `type` is about, by the keywords it uses."""

_SAID = (
    ("minLength", "At least {} characters."),
    ("maxLength", "At most {} characters."),
    ("minProperties", "At least {} properties."),
    ("maxProperties", "At most {} properties."),
    ("uniqueItems", "No item twice."),
    ("pattern", "Matches {}."),
    ("format", "Format: {}."),
    ("default", "Default: {}."),
)
"""Keywords outside the subset, in words."""

_LONGEST_SAID = 80
"""Characters of a value that is said; a longer default or pattern helps no model."""

NULL: dict[str, Any] = {"type": "null"}


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema names, or the one that its keywords are about; none for neither."""
    types = schema.get("type")
    if types:
        return [types] if isinstance(types, str) else list(types)
    return [name for name, words in _BY_KEYWORD if any(word in schema for word in words)][:1]


def of_values(schema: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """An enum of the values that the schema's type admits, and their type. Raises Inexpressible."""
    types = set(types_of(schema))
    kept = [value for value in values if not types or types & _types_of_value(value)]
    if not kept:
        raise Inexpressible("an enum without a value")
    if any(isinstance(value, dict | list) for value in kept):
        raise Inexpressible("an enum of objects or lists")
    names = list(dict.fromkeys(_type_of_value(value) for value in kept))
    if "number" in names and "integer" in names:
        names.remove("integer")
    return {"type": names[0] if len(names) == 1 else names, "enum": kept}


def scalar(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What the subset keeps of a schema for text, a number, a boolean or null."""
    kept: dict[str, Any] = {"type": name}
    if name in ("number", "integer"):
        kept |= {key: schema[key] for key in _NUMERIC if key in schema}
    if name == "string":
        if schema.get("format") in _FORMATS:
            kept["format"] = schema["format"]
        if "pattern" in schema and not _LOOKAROUND.search(schema["pattern"]):
            kept["pattern"] = schema["pattern"]
    return kept


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that accepts null as well."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if "null" in types or NULL in schema.get("anyOf", ()):
        return schema
    if types:
        found = {**schema, "type": [*types, "null"]}
        if "enum" in schema:
            found["enum"] = [*schema["enum"], None]
        return found
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], NULL]}
    return {"anyOf": [schema, NULL]}


def described(schema: Mapping[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """What was kept, with the schema's words and those for the limits that the subset lacks."""
    unsaid = {key: schema[key] for key in schema if key == "description" or key not in kept}
    words, inner = description(unsaid), kept.get("description", "")
    if not words:
        return kept
    both = words if inner in words else f"{words} {inner}"
    return {**kept, "description": cut(both, ACTIONS_PARAMETER.number)}


def description(schema: Mapping[str, Any]) -> str:
    """A schema's description, and its limits in words."""
    said = " ".join(_said(schema))
    words = cut(schema.get("description", ""), ACTIONS_PARAMETER.number - len(said) - len(". "))
    if words and said:
        return f"{words}{'.' if words[-1].isalnum() else ''} {said}"
    return words or said


def _said(schema: Mapping[str, Any]) -> Iterator[str]:
    for keyword, sentence in _SAID:
        value = schema.get(keyword)
        if value is None:
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if 0 < len(text) <= _LONGEST_SAID:
            yield sentence.format(text)


def _type_of_value(value: Any) -> str:
    names = {bool: "boolean", str: "string", int: "integer", dict: "object", list: "array"}
    return "null" if value is None else names.get(type(value), "number")


def _types_of_value(value: Any) -> set[str]:
    name = _type_of_value(value)
    integral = name == "number" and value.is_integer()
    return {name, "number"} if name == "integer" else {name, "integer"} if integral else {name}

"""The subset of JSON Schema that strict function calling knows: every object closed and complete.

Nothing is emitted that would accept other calls than the contract: what has no words in the subset
is left out where a call can do without it, else Inexpressible. Limits of single values that the
subset lacks (`maxLength`) become words of the description. Optional turns into nullable; `nulls`
undoes it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plugin.contract.merge import Contradiction, Inexpressible, Merger
from plugin.contract.operation import Schema
from plugin.contract.schema import bundle
from plugin.contract.targets import ACTIONS_PARAMETER
from plugin.contract.words import cut

__all__ = ["Inexpressible", "Strict"]

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_NUMERIC = ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LOGIC = ("not", "if", "contains", "dependentRequired", "dependentSchemas")
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

_NULL: dict[str, Any] = {"type": "null"}


class Strict:
    """Puts slim schemas into the strict subset. `definitions` are all that they refer to."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._merger = Merger(definitions)
        self._impossible: dict[str, str] = {}
        self._left_out: dict[str, list[str]] = {}
        self._here: list[str] = []
        self._converted = self._convert_definitions()

    def convert(self, schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The schema of one tool, and what had to be left out of it. Raises Inexpressible."""
        own = {
            key: value for key, value in schema.items() if key not in ("$defs", "anyOf", "oneOf")
        }
        if len(own) < len(schema) - ("$defs" in schema):
            raise Inexpressible("alternatives at the root")
        self._here = []
        tool = bundle(self._object(own, root=True), self._converted)
        left_out = list(self._here)
        for name in tool.get("$defs", ()):
            left_out += self._left_out.get(name, [])
        return tool, left_out

    def _convert_definitions(self) -> dict[str, Schema]:
        """Every definition that can be expressed.

        A definition may need one that cannot, and may be needed by others in a circle: all are
        taken to be possible until one fails, and then those before it are tried again.
        """
        while True:
            converted: dict[str, Schema] = {}
            failed: dict[str, str] = {}
            for name, schema in self._definitions.items():
                if name in self._impossible:
                    continue
                self._here = []
                try:
                    converted[name] = self._schema(schema)
                except Inexpressible as reason:
                    failed[name] = str(reason)
                self._left_out[name] = [f"{name}: {what}" for what in self._here]
            if not failed:
                return converted
            self._impossible |= failed

    def _schema(self, schema: Schema) -> dict[str, Any]:
        schema = self._merger.flattened(schema)
        if isinstance(schema, bool):
            raise Inexpressible("a value of any type" if schema else "a value that cannot be")
        if "$ref" in schema:
            return self._reference(schema)
        schema = self._without_not(schema)
        for keyword in _LOGIC:
            if keyword in schema:
                raise Inexpressible(f"the keyword {keyword}")
        if "oneOf" in schema or "anyOf" in schema:
            return self._alternatives(schema)
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values is not None:
            return _described(schema, _enum_of(schema, values))
        return self._of_types(schema, _types_of(schema))

    def _of_types(self, schema: dict[str, Any], types: Sequence[str]) -> dict[str, Any]:
        plain = [name for name in types if name != "null"]
        if not types:
            raise Inexpressible("a value of any type")
        if len(plain) <= 1:
            found = self._typed(schema, plain[0] if plain else "null")
            return _nullable(found) if len(types) > len(plain) else found
        words: dict[str, Any] = {
            key: schema[key] for key in ("description", "default") if key in schema
        }
        inner = {key: value for key, value in schema.items() if key not in words}
        return self._alternatives({**words, "anyOf": [{**inner, "type": name} for name in types]})

    def _without_not(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`not: {required: [a, b]}` is "without a, or without b", which alternatives can say."""
        forbidden = schema.get("not")
        if not (isinstance(forbidden, dict) and set(forbidden) == {"required"}):
            return schema
        rest = {key: value for key, value in schema.items() if key != "not"}
        without = [{"properties": {name: False}} for name in forbidden["required"]]
        whole = self._merger.merged(rest, {"anyOf": without})
        return whole if isinstance(whole, dict) else rest

    def _reference(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        name = schema["$ref"].rpartition("/")[2]
        if name in self._impossible:
            raise Inexpressible(self._impossible[name])
        if name not in self._definitions:
            raise Inexpressible(f"a reference to {name}, which is not there")
        reference = {"$ref": schema["$ref"]}
        # The subset allows nothing beside `$ref`.
        words = _description(schema)
        return {"description": words, "anyOf": [reference]} if words else reference

    def _alternatives(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        keyword = "anyOf" if "anyOf" in schema else "oneOf"
        beside = {
            key: value
            for key, value in schema.items()
            if key not in (keyword, "description", "title", "default", "examples", "deprecated")
        }
        branches: list[dict[str, Any]] = []
        refused = ""
        for branch in schema[keyword]:
            try:
                whole = self._merger.merged(beside, branch) if beside else branch
                found = self._schema(whole)
            except Contradiction:
                continue
            except Inexpressible as reason:
                refused = str(reason)
                self._here.append(f"an alternative was left out: {reason}")
                continue
            branches += found["anyOf"] if set(found) == {"anyOf"} else [found]
        branches = _distinct(branches)
        if not branches or (branches == [_NULL] and refused):
            raise Inexpressible(refused or "no alternative")
        if len(branches) == 1 and set(branches[0]) != {"$ref"}:
            return _described(schema, branches[0])
        return _described(schema, {"anyOf": branches})

    def _typed(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        if name == "object":
            return self._object(schema)
        if name == "array":
            return self._array(schema)
        kept: dict[str, Any] = {"type": name}
        if name in ("number", "integer"):
            kept |= {key: schema[key] for key in _NUMERIC if key in schema}
        if name == "string":
            if schema.get("format") in _FORMATS:
                kept["format"] = schema["format"]
            if "pattern" in schema and not _LOOKAROUND.search(schema["pattern"]):
                kept["pattern"] = schema["pattern"]
        return _described({**schema, "type": name}, kept)

    def _array(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if "prefixItems" in schema:
            raise Inexpressible("a list whose places differ")
        if "items" not in schema:
            raise Inexpressible("a list of anything")
        kept = {"type": "array", "items": self._schema(schema["items"])}
        kept |= {key: schema[key] for key in ("minItems", "maxItems") if key in schema}
        return _described({**schema, "type": "array"}, kept)

    def _object(self, schema: Mapping[str, Any], *, root: bool = False) -> dict[str, Any]:
        declared: Mapping[str, Schema] = schema.get("properties", {})
        if not declared and not root and schema.get("additionalProperties") is not False:
            raise Inexpressible("a free-form object")
        required = frozenset(schema.get("required", ()))
        properties: dict[str, Any] = {}
        for name, member in [*declared.items(), *self._undeclared(schema)]:
            if member is False:
                if name in required:
                    raise Contradiction(f"{name} is required and forbidden")
                continue
            found = self._property(name, member, required=name in required)
            if found is not None:
                properties[name] = found
        if declared and not properties and not root:
            raise Inexpressible("an object of which nothing can be expressed")
        kept = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return _described({**schema, "type": "object"}, kept)

    def _undeclared(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
        """What is required beyond the properties: `additionalProperties` describe it, or none."""
        extra = schema.get("additionalProperties")
        for name in schema.get("required", ()):
            if name in schema.get("properties", ()):
                continue
            if isinstance(extra, dict):
                yield name, extra
            else:
                self._here.append(f"{name} is required but described nowhere, so it was left out")

    def _property(self, name: str, member: Schema, *, required: bool) -> dict[str, Any] | None:
        before = len(self._here)
        try:
            found = self._schema(member)
        except Inexpressible as reason:
            if required:
                raise Inexpressible(f"{name} is required: {reason}") from reason
            del self._here[before:]
            self._here.append(f"optional {name} was left out: {reason}")
            return None
        self._here[before:] = [f"{name}: {what}" for what in self._here[before:]]
        return found if required else _nullable(found)


def _types_of(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type")
    if isinstance(types, str):
        return [types]
    if types:
        return list(types)
    return [name for name, keywords in _BY_KEYWORD if any(word in schema for word in keywords)][:1]


def _enum_of(schema: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """The values that the type admits, with the type that the subset wants beside them."""
    types = _types_of(schema)
    kept = [value for value in values if not types or _type_of(value) & set(types)]
    if not kept or any(isinstance(value, dict | list) for value in kept):
        raise Inexpressible("an enum of objects or lists" if kept else "an enum without a value")
    names = list(dict.fromkeys(_own_type(value) for value in kept))
    if "number" in names and "integer" in names:
        names.remove("integer")
    return {"type": names[0] if len(names) == 1 else names, "enum": kept}


def _own_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "integer" if isinstance(value, int) else "number"


def _type_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {"object"}
    if isinstance(value, list):
        return {"array"}
    name = _own_type(value)
    return {"integer", "number"} if name == "integer" else {name}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    types = schema.get("type")
    if types == "null" or (isinstance(types, list) and "null" in types):
        return schema
    if isinstance(types, str | list):
        found = {**schema, "type": [*(types if isinstance(types, list) else [types]), "null"]}
        if "enum" in schema:
            found["enum"] = [*schema["enum"], None]
        return found
    if _NULL in schema.get("anyOf", ()):
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], _NULL]}
    return {"anyOf": [schema, _NULL]}


def _distinct(branches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for branch in branches:
        if branch not in found:
            found.append(branch)
    return found


def _described(schema: Mapping[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """What was kept, with the words of the schema and of the limits that the subset lacks."""
    unsaid = {key for key in schema if key == "description" or key not in kept}
    words = _description({key: schema[key] for key in unsaid})
    inner = kept.get("description", "")
    if not words:
        return kept
    return {**kept, "description": f"{words} {inner}".strip() if inner not in words else words}


def _description(schema: Mapping[str, Any]) -> str:
    said = " ".join(_said(schema))
    words = cut(schema.get("description", ""), ACTIONS_PARAMETER.number - len(said) - 2)
    if words and said:
        return f"{words}{'.' if words[-1].isalnum() else ''} {said}"
    return words or said


def _said(schema: Mapping[str, Any]) -> Iterator[str]:
    for keyword, sentence in _SAID:
        value = schema.get(keyword)
        if value is not None and _is_short(value):
            yield sentence.format(value if isinstance(value, str) else json.dumps(value))


def _is_short(value: Any) -> bool:
    return len(json.dumps(value, default=str)) <= _LONGEST_SAID

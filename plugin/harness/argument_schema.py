"""A tool's argument schema as the judge reads it: as written, minus what no call can answer for.

Two things differ from the written schema. An object that lists its properties and says nothing else
about further ones is closed, because a model that invents a key has misread the tool. And what
contradicts itself (a `required` that names no property, a scalar `enum` beside `type: array`, a
broken reference) is taken out and reported as the document's fault, never charged to a call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jsonschema_rs

from plugin.contract.pointer import MISSING, child, from_fragment, look_up
from plugin.contract.schema import keywords
from plugin.contract.schema.patterns import compilable

Mode = Literal["closed", "open"]
"""Whether an object that lists its properties is closed here: not where several schemas meet."""

_OPENERS = frozenset(
    {
        "additionalProperties",
        "patternProperties",
        "unevaluatedProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "$ref",
        "if",
        "dependentSchemas",
    }
)
_SUBSCHEMA = (
    "additionalProperties",
    "contains",
    "items",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_SUBSCHEMA_MAPS = ("properties", "patternProperties", "dependentSchemas")
_IN_PLACE = ("not", "if", "then", "else")

_ASSERTIONS = (
    *("type", "const", "pattern", "multipleOf", "uniqueItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties", "minContains", "maxContains", "dependentRequired"),
)


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """Something in a tool's schema that no call can satisfy: where in the schema, and what."""

    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class ArgumentSchema:
    """The schema to judge by: self-contained, references only into its own `$defs`."""

    root: dict[str, Any] | bool
    definitions: Mapping[str, Any]
    faults: tuple[DocumentFault, ...]
    validator: jsonschema_rs.Draft202012Validator

    def document(self, schema: Any) -> Any:
        """A part of this schema as a document that stands alone."""
        return _standing_alone(schema, self.definitions)

    def target(self, reference: str) -> Any:
        """What a reference of this schema points to."""
        return self.definitions[reference.removeprefix("#/$defs/")]


def read(schema: Any) -> ArgumentSchema:
    """Read a tool's argument schema as it was written. Never raises, whatever stands in it."""
    reader = _Reader(schema)
    try:
        root = reader.root()
        reader.read_definitions()
        validator = _compiled(root, reader.definitions)
    except (RecursionError, ValueError) as error:
        fault = DocumentFault("", f"nothing can be judged by this schema: {error}")
        return ArgumentSchema(True, {}, (fault,), _compiled(True, {}))
    return ArgumentSchema(root, reader.definitions, tuple(reader.faults), validator)


def _standing_alone(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, dict) and definitions:
        return {**schema, "$defs": definitions}
    return schema


def _compiled(root: Any, definitions: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_standing_alone(root, definitions))


class _Reader:
    def __init__(self, document: Any) -> None:
        self._document = document
        self._names: dict[tuple[str, Mode], str] = {}
        self._unread: list[tuple[str, Mode, str]] = []
        self.definitions: dict[str, Any] = {}
        self.faults: list[DocumentFault] = []

    def root(self) -> Any:
        """The schema of the whole arguments, which are always an object."""
        root = self.subschema(self._document, "", "closed")
        types = types_of(root) if isinstance(root, dict) else []
        if types and "object" not in types:
            message = f"arguments are an object, which the type {' or '.join(types)} excludes"
            self._fault("/type", message)
            return True
        return root

    def read_definitions(self) -> None:
        while self._unread:
            pointer, mode, name = self._unread.pop()
            self.definitions[name] = self.subschema(look_up(self._document, pointer), pointer, mode)

    def subschema(self, schema: Any, pointer: str, mode: Mode) -> Any:
        if not isinstance(schema, dict):
            return schema if isinstance(schema, bool) else True
        read: dict[str, Any] = {}
        self._read_assertions(schema, read, pointer)
        self._read_parts(schema, read, pointer)
        self._read_in_place(schema, read, pointer, mode)
        self._read_object(schema, read, pointer, mode)
        self._read_enum(schema, read, pointer)
        return _or_null(read) if _takes_null(schema) else read

    def _read_assertions(self, schema: dict[str, Any], read: dict[str, Any], at: str) -> None:
        for keyword in _ASSERTIONS:
            if keyword not in schema:
                continue
            try:
                read[keyword] = keywords.VALUES[keyword](schema[keyword])
            except keywords.Unusable as reason:
                self._fault(child(at, keyword), str(reason))
        _translate_draft_4(read)
        self._read_null(schema, read, at)

    def _read_null(self, schema: dict[str, Any], read: dict[str, Any], at: str) -> None:
        """Null is allowed by OpenAPI 3.0's `nullable`, and by a default that is null."""
        types = types_of(read)
        if types and "null" not in types and _takes_null(schema):
            read["type"] = [*types, "null"]
            if schema.get("nullable") is not True:
                self._fault(child(at, "default"), "the default is null, which the type excludes")

    def _read_parts(self, schema: dict[str, Any], read: dict[str, Any], at: str) -> None:
        """Schemas of other values: of properties and items."""
        for keyword in _SUBSCHEMA:
            if isinstance(schema.get(keyword), dict | bool):
                read[keyword] = self.subschema(schema[keyword], f"{at}/{keyword}", "closed")
        for keyword in _SUBSCHEMA_MAPS:
            if isinstance(schema.get(keyword), dict):
                mode: Mode = "open" if keyword == "dependentSchemas" else "closed"
                read[keyword] = {
                    name: self.subschema(part, child(f"{at}/{keyword}", name), mode)
                    for name, part in schema[keyword].items()
                    if keyword != "patternProperties" or compilable(name) == name
                }
        tuple_keyword = "prefixItems" if "prefixItems" in schema else "items"
        if isinstance(schema.get(tuple_keyword), list):
            read["prefixItems"] = [
                self.subschema(part, f"{at}/{tuple_keyword}/{index}", "closed")
                for index, part in enumerate(schema[tuple_keyword])
            ] or [True]
            if tuple_keyword == "items" and "additionalItems" in schema:
                more = schema["additionalItems"]
                read["items"] = self.subschema(more, f"{at}/additionalItems", "closed")

    def _read_in_place(
        self, schema: dict[str, Any], read: dict[str, Any], at: str, mode: Mode
    ) -> None:
        """Schemas of the same value: references, branches, conditions."""
        lists_more = bool(_OPENERS & schema.keys() - {"anyOf", "oneOf", "$ref"})
        alone: Mode = "open" if lists_more or "properties" in schema else mode
        reference = schema.get("$ref")
        if isinstance(reference, str):
            read["$ref"] = self._reference(reference, f"{at}/$ref", alone)
        branches = [
            [self.subschema(part, f"{at}/{keyword}/{n}", alone) for n, part in enumerate(parts)]
            for keyword in ("anyOf", "oneOf")
            if isinstance(parts := schema.get(keyword), list) and parts
        ]
        # A value that fits two branches of a `oneOf` is the document's ambiguity, not the caller's.
        if branches:
            read["anyOf"] = branches[0]
        parts = schema.get("allOf")
        joined = [{"anyOf": more} for more in branches[1:]]
        if isinstance(parts, list):
            joined += [self.subschema(p, f"{at}/allOf/{n}", "open") for n, p in enumerate(parts)]
        if joined:
            read["allOf"] = joined
        for keyword in _IN_PLACE:
            if isinstance(schema.get(keyword), dict | bool):
                read[keyword] = self.subschema(schema[keyword], f"{at}/{keyword}", "open")

    def _read_object(
        self, schema: dict[str, Any], read: dict[str, Any], at: str, mode: Mode
    ) -> None:
        properties = schema.get("properties")
        listed = isinstance(properties, dict)
        if listed and mode == "closed" and not _OPENERS & schema.keys():
            read["additionalProperties"] = False
        closed = listed and read.get("additionalProperties") is False
        required = schema.get("required")
        written = required if isinstance(required, list) else []
        names = [name for name in written if isinstance(name, str)]
        kept = [name for name in names if not closed or name in schema["properties"]]
        if kept:
            read["required"] = list(dict.fromkeys(kept))
        for name in names:
            if name not in kept:
                self._fault(f"{at}/required", f"`required` names {name!r}, which is no property")
                # A model that sends it does as it was told.
                read["properties"][name] = True

    def _read_enum(self, schema: dict[str, Any], read: dict[str, Any], at: str) -> None:
        values = schema.get("enum")
        if not isinstance(values, list) or not values:
            return
        types = types_of(read)
        if types and not any(is_of_type(value, types) for value in values):
            self._fault(child(at, "enum"), f"no value of this enum is of type {' or '.join(types)}")
            return
        allowed = list(values)
        if "null" in types and None not in values and "null" not in types_of(schema):
            allowed.append(None)
        default = schema.get("default")
        if default is not None and default not in values:
            self._fault(child(at, "default"), f"the default {default!r} is none of the enum")
            allowed.append(default)
        read["enum"] = allowed

    def _reference(self, reference: str, at: str, mode: Mode) -> str:
        pointer = from_fragment(reference.removeprefix("#"))
        local = reference.startswith("#/") or reference in ("#", "")
        if not local or look_up(self._document, pointer) is MISSING:
            self._fault(at, f"the reference {reference!r} points to nothing in this schema")
            self.definitions["unknown"] = True
            return "#/$defs/unknown"
        key = (pointer, mode)
        if key not in self._names:
            self._names[key] = str(len(self._names))
            self._unread.append((pointer, mode, self._names[key]))
        return f"#/$defs/{self._names[key]}"

    def _fault(self, pointer: str, message: str) -> None:
        fault = DocumentFault(pointer, message)
        if fault not in self.faults:
            self.faults.append(fault)


def is_of_type(value: Any, types: list[str]) -> bool:
    """Whether a JSON value is of one of the types; 3.0 is an integer, a boolean is no number."""
    actual = type_of(value)
    return actual in types or (actual == "integer" and "number" in types)


def type_of(value: Any) -> str:
    """The narrowest JSON Schema type of a value."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    names = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}
    return names.get(type(value), "null")


def types_of(schema: dict[str, Any]) -> list[str]:
    """The types that a schema allows; none where it does not say."""
    types = schema.get("type", [])
    return list(types) if isinstance(types, list) else [types]


def _takes_null(schema: dict[str, Any]) -> bool:
    by_default = "default" in schema and schema["default"] is None
    return by_default or schema.get("nullable") is True


def _or_null(read: dict[str, Any]) -> dict[str, Any]:
    """Null beside what a schema asks for by other words than its type."""
    branches = read.get("anyOf", ())
    if any(isinstance(branch, dict) and branch.get("type") == "null" for branch in branches):
        return read
    by_other_words = {"$ref", "allOf", "anyOf", "const"} & read.keys()
    if by_other_words or ("enum" in read and "type" not in read):
        return {"anyOf": [read, {"type": "null"}]}
    return read


def _translate_draft_4(read: dict[str, Any]) -> None:
    """`exclusiveMinimum: true` beside `minimum` is draft 4 and OpenAPI 3.0."""
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(read.get(exclusive), bool) and read.pop(exclusive) and limit in read:
            read[exclusive] = read.pop(limit)

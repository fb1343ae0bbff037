"""A JSON Schema in one phrase that a model can act on: "a whole number from 1 to 100"."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Schema = Mapping[str, Any]

_MOST_CHOICES = 30
_DEEPEST = 3

_FORMATS = {
    "date-time": "a point in time as ISO 8601 text, such as 2026-11-23T09:30:00Z",
    "date": "a date as ISO 8601 text, such as 2026-11-23",
    "time": "a time of day as ISO 8601 text, such as 09:30:00",
    "duration": "a duration as ISO 8601 text, such as PT15M",
    "uuid": "a UUID",
    "uri": "an absolute URL",
    "email": "an email address",
    "binary": "binary data",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
}


def follow(schema: Schema, root: Schema) -> Schema:
    """The schema that a local `$ref` stands for, with what is written beside the reference."""
    seen = 0
    while "$ref" in schema and seen < len(root.get("$defs", {})) + 1:
        name = str(schema["$ref"]).rpartition("/")[2]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema, seen = {**root.get("$defs", {}).get(name, {}), **beside}, seen + 1
    return schema


def in_words(schema: Schema, root: Schema, depth: int = 0) -> str:
    """What a value must be."""
    schema = follow(schema, root)
    if depth > _DEEPEST:
        return "a value"
    if "enum" in schema or "const" in schema:
        return _choices(schema.get("enum", [schema.get("const")]))
    tag = schema.get("discriminator", {})
    if "mapping" in tag:
        return f"an object whose {tag['propertyName']} is {_choices(list(tag['mapping']))}"
    branches = schema.get("anyOf", schema.get("oneOf"))
    if branches:
        words = dict.fromkeys(in_words(branch, root, depth + 1) for branch in branches)
        return " or ".join(words)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(in_words({**schema, "type": one}, root, depth + 1) for one in kind)
    return _of_type(kind, schema, root, depth)


def _of_type(kind: Any, schema: Schema, root: Schema, depth: int) -> str:
    match kind:
        case "integer" | "number":
            words = ("a whole number" if kind == "integer" else "a number") + _range(schema)
        case "boolean":
            words = "true or false"
        case "null":
            words = "null"
        case "string":
            words = _text(schema)
        case "array":
            items = in_words(schema.get("items", {}), root, depth + 1)
            words = "a list" + _count(schema, "Items", "item") + f", each of them {items}"
        case "object":
            words = _object(schema)
        case _:
            words = "a value"
    return words


def _choices(choices: Sequence[Any]) -> str:
    written = [orjson.dumps(choice, default=str).decode() for choice in choices[:_MOST_CHOICES]]
    more = len(choices) - len(written)
    listed = ", ".join(written) + (f" and {more} more" if more else "")
    return listed if len(choices) == 1 else f"one of {listed}"


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if least is not None and most is not None:
        words = [f"from {least} to {most}"]
    else:
        words = [f"of at least {least}"] * (least is not None)
        words += [f"of at most {most}"] * (most is not None)
    words += [f"above {above}"] * (above is not None) + [f"below {below}"] * (below is not None)
    if schema.get("multipleOf") is not None:
        words.append(f"that is a multiple of {schema['multipleOf']}")
    return "".join(f" {word}" for word in words)


def _text(schema: Schema) -> str:
    words = _FORMATS.get(str(schema.get("format")), "a text")
    words += _count(schema, "Length", "character")
    if "pattern" in schema:
        words += f" matching {schema['pattern']}"
    return words


def _count(schema: Schema, what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is None and most is None:
        return ""
    if most is None:
        return f" of at least {least} {unit}{'s' * (least != 1)}"
    plural = f"{unit}{'s' * (most != 1)}"
    return f" of at most {most} {plural}" if least is None else f" of {least} to {most} {plural}"


def _object(schema: Schema) -> str:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    if not properties:
        return "an object"
    listed = ", ".join(f"{name} (required)" if name in required else name for name in properties)
    return f"an object with {listed}"

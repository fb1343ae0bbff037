"""What each keyword of a schema may hold: a value as it is, mended, or Unusable with a reason."""

from collections.abc import Callable, Mapping
from typing import Any

from plugin.contract.schema.patterns import compilable

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})

_TYPE_WORDS = {
    **dict.fromkeys(("dict", "dictionary", "map", "hash", "hashmap", "struct"), "object"),
    **dict.fromkeys(("list", "tuple", "set", "arraylist", "queue", "stack"), "array"),
    **dict.fromkeys(("int", "int32", "int64", "long", "short", "byte", "bigint"), "integer"),
    **dict.fromkeys(("float", "double", "decimal", "numeric"), "number"),
    "bool": "boolean",
    **dict.fromkeys(("none", "nil", "nonetype"), "null"),
    **dict.fromkeys(("str", "text", "char", "file", "binary", "email", "password"), "string"),
    **dict.fromkeys(("date", "datetime", "date-time", "time", "uuid", "uri", "url"), "string"),
}
"""Types that documents and the tools of other languages write, and what is meant by them."""


class Unusable(ValueError):  # noqa: N818 - names say what is wrong
    """A value that the keyword cannot have; the message ends "… so it was left out"."""


def type_name(word: str) -> str | None:
    """The type of JSON Schema that a word means; None where it means any, or nothing known."""
    if word in TYPES:
        return word
    word = word.strip().lower()
    return word if word in TYPES else _TYPE_WORDS.get(word)


def kind(value: Any) -> str:
    """What a JSON value is, in words for a note."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _type(value: Any) -> str | list[str]:
    words = value if isinstance(value, list) else [value]
    found = [type_name(word) for word in words if isinstance(word, str)]
    known = list(dict.fromkeys(name for name in found if name))
    if not known or None in found:
        raise Unusable(f"{value!r} is no type of JSON Schema")
    return known if isinstance(value, list) else known[0]


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise Unusable(f"a number belongs here, not {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) == float("inf"):
        raise Unusable(f"a number belongs here, not {kind(value)}")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _step(value: Any) -> int | float:
    number = _number(value)
    if number <= 0:
        raise Unusable("multipleOf is greater than 0")
    return number


def _count(value: Any) -> int:
    number = _number(value)
    if number < 0 or isinstance(number, float):
        raise Unusable(f"a count belongs here, not {value!r}")
    return number


def _exclusive(value: Any) -> bool | int | float:
    return value if isinstance(value, bool) else _number(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Unusable(f"true or false belongs here, not {kind(value)}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Unusable(f"text belongs here, not {kind(value)}")


def _pattern(value: Any) -> str:
    pattern = compilable(_text(value))
    if pattern is None:
        raise Unusable(f"the pattern {value!r} is no regular expression of ECMA-262")
    return pattern


def _anything(value: Any) -> Any:
    return value


def _choices(value: Any) -> list[Any]:
    if isinstance(value, list) and value:
        return value
    if value is None or isinstance(value, dict | list):
        raise Unusable("an enum lists at least one value")
    return [value]


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):  # a map of named examples, as parameters have
        return [
            item.get("value", item) if isinstance(item, dict) else item for item in value.values()
        ]
    return [value]


def _names(value: Any) -> list[str]:
    if isinstance(value, str) and value not in ("true", "false"):
        return [value]
    if not isinstance(value, list):
        raise Unusable(f"required lists names, it is not {kind(value)}")
    names = list(dict.fromkeys(name for name in value if isinstance(name, str)))
    return value if names == value else names


def _name_lists(value: Any) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise Unusable(f"an object belongs here, not {kind(value)}")
    return {key: _names(names) for key, names in value.items()}


VALUES: Mapping[str, Callable[[Any], Any]] = {
    "type": _type,
    "enum": _choices,
    "const": _anything,
    "default": _anything,
    "example": _anything,
    "examples": _list,
    "description": _text,
    "title": _text,
    "format": _text,
    "contentEncoding": _text,
    "contentMediaType": _text,
    "pattern": _pattern,
    "multipleOf": _step,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _exclusive,
    "exclusiveMaximum": _exclusive,
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _count),
    **dict.fromkeys(("minProperties", "maxProperties", "minContains", "maxContains"), _count),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly", "nullable"), _flag),
    "required": _names,
    "dependentRequired": _name_lists,
}
"""Keywords whose value holds no schema, and the rule for the value."""

SCHEMA = frozenset(
    {
        *(
            "items",
            "contains",
            "additionalProperties",
            "propertyNames",
            "not",
            "if",
            "then",
            "else",
        ),
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords that hold one schema."""

SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords that hold a list of schemas."""

SCHEMA_MAP = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords that hold schemas by name."""

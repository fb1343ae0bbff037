"""Arguments that fit an operation, made from its schema: for asking what does not turn on them."""

from typing import Any

from plugin.contract.schema.validation import resolve
from plugin.harness.formats.format import mapping

_BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "user@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}
_DEEPEST = 12


def sample(schema: dict[str, Any]) -> dict[str, Any]:
    """The required arguments of a call, as the schema's own examples say, else plainly."""
    return mapping(_value(schema, schema, 0))


def _value(written: Any, root: dict[str, Any], depth: int) -> Any:
    schema = mapping(resolve(written, root))
    said = _said(schema)
    if said:
        return said[0]
    for keyword in ("anyOf", "oneOf"):
        branches = [one for one in schema.get(keyword) or () if mapping(one).get("type") != "null"]
        if branches and depth < _DEEPEST:
            return _value(branches[0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: dict[str, Any], depth: int) -> Any:
    kinds = schema.get("type")
    kind = next((one for one in kinds if one != "null"), None) if isinstance(kinds, list) else kinds
    match kind:
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "array":
            return _array(schema, root, depth)
        case "string":
            return _text(schema)
        case _:
            return _object(schema, root, depth)


def _said(schema: dict[str, Any]) -> list[Any]:
    """What the schema itself gives as a value."""
    examples = schema.get("examples")
    listed = list(examples) if isinstance(examples, list) else []
    listed += [schema[key] for key in ("const", "example") if key in schema]
    choices = schema.get("enum")
    return [*listed, *(choices if isinstance(choices, list) else ())]


def _number(schema: dict[str, Any]) -> Any:
    low = schema.get("minimum", 1)
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    step = schema.get("multipleOf")
    value = -(-low // step) * step if step else low
    highest = schema.get("maximum", value)
    return min(value, highest)


def _text(schema: dict[str, Any]) -> str:
    text = _BY_FORMAT.get(str(schema.get("format")), "example")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _array(schema: dict[str, Any], root: dict[str, Any], depth: int) -> list[Any]:
    if depth >= _DEEPEST:
        return []
    count = schema.get("minItems", 1 if "items" in schema else 0)
    return [_value(schema.get("items", {}), root, depth + 1) for _ in range(count)]


def _object(schema: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties, required = mapping(schema.get("properties")), list(schema.get("required", ()))
    for part in schema.get("allOf") or ():
        followed = mapping(resolve(part, root))
        properties = {**properties, **mapping(followed.get("properties"))}
        required += followed.get("required", ())
    if depth >= _DEEPEST:
        return {}
    return {name: _value(properties.get(name, {}), root, depth + 1) for name in required}

"""What each door demands of a tool, written from its documents and not from our code.

An independent judge for what `plugin.contract.tools` makes: it shares no line with it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
DESCRIPTION = 1_024
PARAMETER_DESCRIPTION = 700

ONE = {
    *("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties"),
}
MANY = {"allOf", "anyOf", "oneOf", "prefixItems"}
NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs"}

NOT_FOR_MODELS = {
    *("nullable", "xml", "externalDocs", "discriminator", "example", "readOnly", "writeOnly"),
    *("$id", "$schema", "$anchor", "definitions", "$dynamicRef", "$dynamicAnchor", "$comment"),
}

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

STRICT_KEYWORDS = {
    *("type", "description", "properties", "required", "additionalProperties", "items", "enum"),
    *("const", "anyOf", "$ref", "$defs", "pattern", "format", "multipleOf", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
}
STRICT_FORMATS = {
    *("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"),
}


def faults(tools: list[dict[str, Any]], target: str) -> Iterator[str]:
    """Every rule that a list of tools breaks, as `name: what`."""
    seen: set[str] = set()
    for tool in tools:
        name, description, schema, shape = _opened(tool, target)
        found = [shape] if shape else []
        if not isinstance(name, str) or not NAME.fullmatch(name):
            found.append("illegal name")
        if name in seen:
            found.append("name twice")
        seen.add(name)
        if not isinstance(description, str) or not 0 < len(description) <= DESCRIPTION:
            found.append("no description, or too long")
        found += _schema_faults(schema)
        if target == "openai-strict":
            found += _strict_faults(schema)
        if target == "mcp":
            found += _mcp_faults(tool)
        yield from (f"{name}: {fault}" for fault in found)


def _opened(tool: dict[str, Any], target: str) -> tuple[Any, Any, Any, str]:
    """Name, description and schema of a tool, and what is wrong with its outer shape."""
    keys = set(tool)
    if target in ("openai", "openai-strict"):
        inner = tool.get("function", {})
        wanted = {"name", "description", "parameters"}
        wanted |= {"strict"} if target == "openai-strict" else set()
        fine = keys == {"type", "function"} and tool["type"] == "function" and set(inner) == wanted
        fine = fine and inner.get("strict", True) is True
        return inner.get("name"), inner.get("description"), inner.get("parameters"), _shape(fine)
    if target == "responses":
        fine = keys == {"type", "name", "description", "parameters", "strict"}
        fine = fine and tool["type"] == "function" and tool["strict"] is False
        return tool.get("name"), tool.get("description"), tool.get("parameters"), _shape(fine)
    if target == "anthropic":
        fine = keys == {"name", "description", "input_schema"}
        return tool.get("name"), tool.get("description"), tool.get("input_schema"), _shape(fine)
    fine = keys - {"outputSchema"} == {"name", "title", "description", "inputSchema", "annotations"}
    return tool.get("name"), tool.get("description"), tool.get("inputSchema"), _shape(fine)


def _shape(fine: bool) -> str:
    return "" if fine else "not the shape of a tool"


def _schema_faults(schema: Any) -> list[str]:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return ["the root is no object"]
    try:
        jsonschema_rs.meta.validate({**schema, "$schema": _DIALECT})
    except ValueError as error:
        return [f"no schema of 2020-12: {str(error)[:120]}"]
    found = []
    if not isinstance(schema.get("properties"), dict):
        found.append("no properties")
    used = set()
    for node in _nodes(schema):
        found += [f"{key} is nothing for a model" for key in NOT_FOR_MODELS & set(node)]
        found += [f"the extension {key}" for key in node if key.startswith("x-")]
        if len(node.get("description", "")) > PARAMETER_DESCRIPTION:
            found.append("a parameter's description is too long")
        if "$ref" in node:
            used.add(node["$ref"])
            if node["$ref"].removeprefix("#/$defs/") not in schema.get("$defs", {}):
                found.append(f"{node['$ref']} leads nowhere")
    unused = {f"#/$defs/{name}" for name in schema.get("$defs", {})} - used
    return found + [f"{name} is used by nothing" for name in unused]


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        if key in ONE:
            yield from _nodes(value)
        elif key in MANY:
            for member in value:
                yield from _nodes(member)
        elif key in NAMED:
            for member in value.values():
                yield from _nodes(member)


def _strict_faults(schema: Any) -> list[str]:
    found = []
    if "anyOf" in schema:
        found.append("alternatives at the root")
    nodes = list(_nodes(schema))
    for node in nodes:
        found += _strict_node(node, is_root=node is schema)
    counts = {
        "properties": (sum(len(node.get("properties", {})) for node in nodes), 5_000),
        "enum values": (sum(len(node.get("enum", [])) for node in nodes), 1_000),
        "characters": (sum(_characters(node) for node in nodes), 120_000),
        "levels": (max(_depth(root) for root in [schema, *schema.get("$defs", {}).values()]), 10),
    }
    return found + [f"{found} {what}" for what, (found, most) in counts.items() if found > most]


def _strict_node(node: dict[str, Any], *, is_root: bool) -> list[str]:
    types = node.get("type", [])
    types = [types] if isinstance(types, str) else types
    alone = {"$ref", "$defs"} if is_root else {"$ref"}
    properties, required = set(node.get("properties", {})), set(node.get("required", []))
    rules = {
        f"strict mode lacks {sorted(set(node) - STRICT_KEYWORDS)}": set(node) <= STRICT_KEYWORDS,
        "something stands beside $ref": "$ref" not in node or set(node) <= alone,
        "no type": bool(types) or not {"$ref", "anyOf"}.isdisjoint(node),
        "an object that is not closed": "object" not in types
        or node.get("additionalProperties") is False,
        "a property that is not required": "object" not in types or required == properties,
        "a list of anything": "array" not in types or isinstance(node.get("items"), dict),
        f"the format {node.get('format')}": node.get("format", "date") in STRICT_FORMATS,
        "a pattern that looks around": not re.search(r"\(\?<?[=!]", node.get("pattern", "")),
    }
    return [rule for rule, kept in rules.items() if not kept] + _enum_faults(node, types)


def _enum_faults(node: dict[str, Any], types: list[str]) -> list[str]:
    values = node.get("enum", [])
    found = []
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        found.append("an enum of objects or lists")
    elif not all(_fits(value, types) for value in values):
        found.append("an enum value of another type")
    if len(values) > 250 and sum(len(str(value)) for value in values) > 15_000:
        found.append("a long enum of too many characters")
    return found


def _fits(value: Any, types: list[str]) -> bool:
    if value is None:
        return "null" in types
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, str):
        return "string" in types
    return "number" in types or (value == int(value) and "integer" in types)


def _characters(node: dict[str, Any]) -> int:
    names = [*node.get("properties", {}), *node.get("$defs", {})]
    values = [*node.get("enum", []), node.get("const")]
    return sum(map(len, names)) + sum(len(value) for value in values if isinstance(value, str))


def _depth(node: Any) -> int:
    """Levels of objects and lists; a reference is no level, since recursion is allowed."""
    if not isinstance(node, dict):
        return 0
    inside = [*node.get("properties", {}).values(), node.get("items"), *node.get("anyOf", [])]
    here = "properties" in node or "items" in node
    return here + max(map(_depth, inside), default=0)


def _mcp_faults(tool: dict[str, Any]) -> list[str]:
    found = []
    hints = tool.get("annotations", {})
    if set(hints) != {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}:
        found.append("not the four hints")
    if not all(isinstance(hint, bool) for hint in hints.values()):
        found.append("a hint that is no boolean")
    if hints.get("readOnlyHint") and hints.get("destructiveHint"):
        found.append("reads only, and destroys")
    if not tool.get("title"):
        found.append("no title")
    if "outputSchema" in tool:
        found += [f"output: {fault}" for fault in _schema_faults(tool["outputSchema"])]
        if len(json.dumps(tool["outputSchema"], separators=(",", ":"))) > 8_000:
            found.append("a large outputSchema")
    return found

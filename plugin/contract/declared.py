"""The tools that a recorded request declared, in anybody's format: argument schemas by name."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.schema import keywords
from plugin.contract.schema.validation import mended, subschemas

_LISTS = (
    "tools",
    "functions",
    "function",
    "functionDeclarations",
    "function_declarations",
    "result",
)
"""Keys under which a request, a tool group, a benchmark row or a listing holds its tools."""

_SCHEMAS = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parametersJsonSchema",
    "parameters_json_schema",
)
"""Keys under which one tool holds the schema of its arguments."""

_MAX_DEPTH = 8

_DEEPEST_SCHEMA = 100


def read_tools(value: Any) -> dict[str, dict[str, Any]]:
    """Name to argument schema, as written, for any list of tools; never raises.

    Takes OpenAI's tools (nested, flat, in namespaces) and legacy functions, Anthropic's, Gemini's,
    MCP's and BFCL's, alone or inside the request or listing that carried them. Types in other
    words (`dict`, `STRING`, `float`) and `nullable` are put into JSON Schema; nothing else is
    changed. Tools that a provider runs itself have no schema and are left out. Of two tools with
    one name the first counts.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, schema in _tools(value, 0):
        found.setdefault(name, schema)
    return found


def _tools(value: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _tools(item, depth + 1)
    elif isinstance(value, dict):
        nested = value.get("function")
        tool = nested if isinstance(nested, dict) and "name" in nested else value
        if isinstance(tool.get("name"), str) and (tool is nested or _is_function(tool)):
            yield tool["name"], _arguments(tool)
            return
        for key in _LISTS:
            yield from _tools(value.get(key), depth + 1)


def _is_function(tool: Mapping[str, Any]) -> bool:
    """A named tool with a place for arguments; a function without one takes none."""
    if not isinstance(tool.get("name"), str) or isinstance(tool.get("tools"), list):
        return False
    if any(isinstance(tool.get(key), dict) for key in _SCHEMAS):
        return True
    kind = tool.get("type")
    # A custom tool without a schema takes free text, and a bare name is a tool only as a function.
    return kind == "function" or (kind is None and "description" in tool)


def _arguments(tool: Mapping[str, Any]) -> dict[str, Any]:
    for key in _SCHEMAS:
        schema = tool.get(key)
        if isinstance(schema, dict):
            return _in_json_schema(schema)
    return {"type": "object", "properties": {}}


def _in_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    if not _is_foreign(schema):
        return schema
    translated, _ = mended(schema)
    return translated if isinstance(translated, dict) else {}


def _is_foreign(schema: Schema, depth: int = 0) -> bool:
    """Whether a type is not JSON Schema's, or `nullable` says what JSON Schema says by a type."""
    if not isinstance(schema, dict) or depth > _DEEPEST_SCHEMA:
        return False
    types = schema.get("type")
    words = types if isinstance(types, list) else [types]
    if types is not None and not all(isinstance(w, str) and w in keywords.TYPES for w in words):
        return True
    if schema.get("nullable") is True:
        return True
    try:
        return any(_is_foreign(member, depth + 1) for member in subschemas(schema))
    except (AttributeError, TypeError):  # a keyword with a value of the wrong kind
        return True

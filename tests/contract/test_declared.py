import json
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.declared import read_tools
from plugin.contract.openapi import read
from plugin.contract.schema.validation import validator
from plugin.contract.targets import TARGETS
from plugin.contract.tools import make_tools
from tests.contract.conftest import CORPUS, SAMPLES

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CALLS = CORPUS / "calls"

needs_calls = pytest.mark.skipif(not CALLS.exists(), reason="the real collection is not here")


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        [{"function": {"name": "f", "description": "", "parameters": SCHEMA}}],
        [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}],
        [{"name": "f", "description": "", "parameters": SCHEMA}],
        [{"name": "f", "input_schema": SCHEMA}],
        [{"type": "custom", "name": "f", "input_schema": SCHEMA, "defer_loading": True}],
        [{"name": "f", "title": "F", "inputSchema": SCHEMA, "annotations": {}}],
        [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}],
        {"functionDeclarations": [{"name": "f", "parameters_json_schema": SCHEMA}]},
        [{"function_declarations": [{"name": "f", "parameters": SCHEMA}]}],
        [{"type": "namespace", "name": "crm", "tools": [{"name": "f", "parameters": SCHEMA}]}],
        {"tools": [{"name": "f", "inputSchema": SCHEMA}]},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "f", "inputSchema": SCHEMA}]}},
        {"id": "x", "question": [], "function": [{"name": "f", "parameters": SCHEMA}]},
        {"functions": [{"name": "f", "parameters": SCHEMA}], "tools": None},
    ],
)  # fmt: skip
def test_reads_every_format_as_written(tools: Any) -> None:
    found = read_tools(tools)
    assert found == {"f": SCHEMA}
    assert found["f"] is not None


def test_a_schema_that_needs_no_change_is_the_same_object() -> None:
    assert read_tools([{"name": "f", "parameters": SCHEMA}])["f"] is SCHEMA


def test_a_function_without_parameters_takes_none() -> None:
    empty = {"type": "object", "properties": {}}
    assert read_tools([{"type": "function", "function": {"name": "f"}}]) == {"f": empty}
    assert read_tools([{"type": "function", "name": "f", "parameters": None}]) == {"f": empty}
    assert read_tools([{"name": "f", "description": "d"}]) == {"f": empty}


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "tool_search", "execution": "client", "parameters": SCHEMA},
        {"type": "mcp", "server_label": "x", "allowed_tools": ["f"]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "tool_search_tool_bm25_20251119", "name": "search"},
        {"type": "custom", "name": "free", "format": {"type": "text"}},
        {"googleSearch": {}},
        {},
        "f",
        None,
        7,
    ],
)
def test_what_a_provider_runs_itself_has_no_schema(tool: Any) -> None:
    assert read_tools([tool]) == {}
    assert read_tools(tool) == {}


def test_types_in_other_words_are_put_into_json_schema() -> None:
    written = {
        "type": "dict",
        "properties": {
            "f": {"type": "float", "default": 1.5, "optional": True},
            "t": {"type": "tuple", "items": {"type": "int"}},
            "a": {"type": "any", "description": "what you like"},
            "l": {"type": "ARRAY", "items": {"type": "STRING"}},
            "n": {"type": "STRING", "nullable": True, "format": "enum", "enum": ["x"]},
            "dict": {"type": "bool"},
        },
        "required": ["f"],
    }
    assert read_tools([{"name": "f", "parameters": written}])["f"] == {
        "type": "object",
        "properties": {
            "f": {"type": "number", "default": 1.5},
            "t": {"type": "array", "items": {"type": "integer"}},
            "a": {"description": "what you like"},
            "l": {"type": "array", "items": {"type": "string"}},
            "n": {"type": ["string", "null"], "format": "enum", "enum": ["x", None]},
            "dict": {"type": "boolean"},
        },
        "required": ["f"],
    }


def test_a_broken_schema_is_left_to_the_validator() -> None:
    schema = {"type": "object", "properties": {"a": {"required": True}}}
    assert read_tools([{"name": "f", "parameters": schema}])["f"] is schema
    assert validator(schema).is_valid({"a": 1})
    assert not validator(schema).is_valid({})


def test_the_first_of_two_tools_with_one_name_counts() -> None:
    tools = [{"name": "f", "parameters": SCHEMA}, {"name": "f", "parameters": {"type": "object"}}]
    assert read_tools(tools)["f"] is SCHEMA


def test_nesting_without_end_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert read_tools(loop) == {}


@pytest.mark.parametrize("target", TARGETS)
def test_reads_our_own_tools(target: str) -> None:
    made = make_tools(read((SAMPLES / "library.openapi.yaml").read_bytes()), target)
    found = read_tools({"tools": made.tools, "operations": {"other": {"name": "x"}}})
    assert list(found) == list(made.operations)


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def questions(folder: Path) -> list[Path]:
    """Return the files of questions with functions, without the files of answers."""
    return sorted(path for path in folder.glob("bfcl_*.jsonl") if "answers" not in path.name)


@pytest.mark.parametrize(
    ("functions", "requests", "more_than"),
    [
        pytest.param([SAMPLES / "functions.jsonl"], SAMPLES / "requests.jsonl", 20, id="samples"),
        pytest.param(
            questions(CALLS),
            CALLS / "wire_interactions.jsonl",
            2_500,
            id="collection",
            marks=needs_calls,
        ),
    ],
)
def test_no_recorded_function_is_lost(
    functions: list[Path], requests: Path, more_than: int
) -> None:
    counted = 0
    for row in (row for path in functions for row in rows(path)):
        found = read_tools(row["function"])
        assert list(found) == list(dict.fromkeys(tool["name"] for tool in row["function"]))
        assert read_tools(row) == found
        counted += len(found)
        assert all(validator(schema).is_valid({}) in (True, False) for schema in found.values())
    for row in rows(requests):
        request = row["request"] or {}
        for tools in (request.get("tools"), request.get("functions")):
            found = read_tools(tools)
            assert list(found) == list(dict.fromkeys(_functions(tools)))
            counted += len(found)
    assert counted > more_than


@pytest.mark.parametrize(
    ("path", "count"),
    [
        pytest.param(SAMPLES / "tool-list.json", 5, id="samples"),
        pytest.param(CALLS / "tau_airline_tools.json", 14, id="collection", marks=needs_calls),
    ],
)
def test_a_list_of_tools_is_read_whole(path: Path, count: int) -> None:
    assert len(read_tools(json.loads(path.read_text()))) == count


def _functions(tools: Any) -> list[str]:
    """The names of the tools in a request that carry a schema, found another way."""
    names = []
    for tool in tools if isinstance(tools, list) else [tools] if tools else []:
        declared = tool.get("functionDeclarations") or tool.get("function_declarations")
        for one in declared or [tool]:
            inner = one.get("function", one)
            if (
                "name" in inner and any("param" in key or "schema" in key for key in inner)
            ) or "function" in one:
                names.append(inner["name"])
    return names

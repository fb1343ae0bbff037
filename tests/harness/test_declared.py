"""The judge for a reply: given, or made from what its request declared."""

from typing import Any

import pytest

from plugin.harness.declared import Judges
from plugin.harness.judge import Judge, Verdict
from plugin.harness.transcript import Reply
from plugin.messages import Call

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
DECLARED: list[tuple[str, Any]] = [
    ("chat", {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}),
    ("responses", {"type": "function", "name": "f", "parameters": SCHEMA}),
    ("legacy", {"name": "f", "description": "…", "parameters": SCHEMA}),
    ("anthropic", {"name": "f", "input_schema": SCHEMA}),
    ("mcp", {"name": "f", "inputSchema": SCHEMA}),
    ("gemini", {"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}),
    (
        "gemini in its own words",
        {
            "function_declarations": [
                {
                    "name": "f",
                    "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}},
                }
            ]
        },
    ),
    ("bfcl", {"name": "f", "parameters": {"type": "dict", "properties": {"a": {"type": "int"}}}}),
]


def reply(tools: tuple[Any, ...] | None, *calls: Call) -> Reply:
    return Reply(1, 0, "openai_chat", calls or (Call("1", "f", '{"a": "1"}'),), tools)


def faults(verdicts: list[Verdict]) -> list[list[str]]:
    return [[str(fault.fault) for fault in verdict.faults] for verdict in verdicts]


@pytest.mark.parametrize(("shape", "tool"), DECLARED)
def test_a_reply_is_judged_by_the_tools_of_its_request(shape: str, tool: Any) -> None:
    verdicts = Judges().verdicts(reply((tool,)))
    assert faults(verdicts) == [["number_as_string"]], shape
    assert verdicts[0].contract


@pytest.mark.parametrize("tools", [None, ()])
def test_without_tools_there_is_nothing_to_judge_by(tools: Any) -> None:
    (verdict,) = Judges().verdicts(reply(tools))
    assert (verdict.faults, verdict.contract) == ((), False)


def test_the_given_judge_judges_all() -> None:
    judge = Judge({"f": {}})
    judges = Judges(judge)
    assert faults(judges.verdicts(reply((DECLARED[0][1],)))) == [[]]
    assert judges.judge_of(reply(None)) is judge


def test_an_unknown_name_is_a_fault_where_the_request_lists_all_tools() -> None:
    verdicts = Judges().verdicts(reply((DECLARED[0][1],), Call("1", "g", "{}")))
    assert faults(verdicts) == [["unknown_function"]]


@pytest.mark.parametrize(
    "shows_more",
    [
        {"type": "tool_search"},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search"},
        {"type": "mcp", "server_label": "s"},
        {"type": "mcp_toolset", "mcp_server_name": "s"},
    ],
)
def test_where_more_tools_come_to_light_later_only_listed_ones_are_judged(shows_more: Any) -> None:
    calls = (Call("1", "f", '{"a": "1"}'), Call("2", "later", "{}"), Call("3", "f", '{"a": 1}'))
    verdicts = Judges().verdicts(reply((DECLARED[0][1], shows_more), *calls))
    assert faults(verdicts) == [["number_as_string"], [], []]
    assert [verdict.contract for verdict in verdicts] == [True, False, True]


def test_equal_tools_are_compiled_once_and_few_sets_are_kept() -> None:
    judges = Judges()
    first = judges.judge_of(reply((DECLARED[0][1],)))
    assert judges.judge_of(reply((dict(DECLARED[0][1]),))) is first
    for number in range(300):
        judges.judge_of(reply(({"name": f"t{number}", "input_schema": {}},)))
    assert len(judges._made) == 256
    assert judges.judge_of(reply((DECLARED[0][1],))) is not first


def test_tools_with_long_numbers_in_them() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 2**80}}}
    tool = {"name": "f", "input_schema": schema}
    verdicts = Judges().verdicts(reply((tool,), Call("1", "f", f'{{"a": {2**81}}}')))
    assert faults(verdicts) == [["constraint"]]


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash"),
        ({"type": "custom", "name": "sh", "format": {"type": "text"}}, "sh"),
        ({"type": "custom", "custom": {"name": "sh"}}, "sh"),
    ],
)
def test_a_tool_that_is_declared_without_a_schema_is_not_unknown(
    tool: dict[str, Any], name: str
) -> None:
    known = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
    for tools in ((tool,), (tool, known)):
        reply = Reply(1, 0, "anthropic", (Call(None, name, {"command": "ls"}),), tools)
        verdict = Judges().verdicts(reply)[0]
        assert (verdict.contract, verdict.faults) == (False, ())
    other = Reply(1, 0, "anthropic", (Call(None, "g", {}),), (tool, known))
    assert [fault.fault for fault in Judges().verdicts(other)[0].faults] == ["unknown_function"]

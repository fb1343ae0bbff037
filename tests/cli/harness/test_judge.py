"""`plugin judge`, from its arguments to its exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Command, command
from tests.harness.planted import DOCUMENT
from tests.harness.recordings import COLLECTIONS, EACH, SAMPLES

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}},
                "required": ["a"],
            },
        },
    }
]


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capsysbinary, "judge")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def recording(*calls: tuple[str, Any], tools: Any = None) -> dict[str, Any]:
    entries = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return {
        "request": {"tools": tools},
        "response": {"choices": [{"message": {"tool_calls": entries}}]},
    }


def as_lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_json_lines_are_as_they_are_promised(judge: Command, calls: Path) -> None:
    calls.write_bytes(
        as_lines(
            recording(("f", '{"a": 1}'), ("f", '{"a": "1"}'), tools=TOOLS),
            {"messages": [{"role": "user"}, {"role": "assistant", "content": "hello"}]},
        )
        + b"{oops\n"
        + as_lines(
            {
                "content": [{"type": "tool_use", "name": "g", "input": {"x": 2**70}}],
                "type": "message",
            }
        )
    )
    ran = judge(calls, "--json")
    assert (ran.code, ran.err) == (1, "")
    first, second, third, fourth = ran.lines
    assert first == {
        "row": 1,
        "reply": 0,
        "format": "openai_chat",
        "calls": [
            {"id": "call_0", "name": "f", "arguments": '{"a": 1}', "faults": [], "contract": True},
            {
                "id": "call_1",
                "name": "f",
                "arguments": '{"a": "1"}',
                "faults": [
                    {
                        "fault": "number_as_string",
                        "pointer": "/a",
                        "message": '`/a` is "1" (string); expected integer;'
                        " write the number without quotes",
                    }
                ],
                "contract": True,
            },
        ],
    }
    assert second == {"row": 2, "reply": 0, "format": "messages", "calls": []}
    assert third.keys() == {"row", "error"}
    assert third["row"] == 3
    assert fourth["calls"] == [
        {"id": None, "name": "g", "arguments": {"x": 2**70}, "faults": [], "contract": False}
    ]


def test_exit_codes(judge: Command, calls: Path) -> None:
    good = as_lines(recording(("f", '{"a": 1}'), tools=TOOLS))
    wrong = as_lines(recording(("f", "{}"), tools=TOOLS))
    for data, code in (
        (good, 0),
        (b"", 2),
        (wrong, 1),
        (good + wrong, 1),
        (good + b"oops\n", 1),
        (as_lines(recording(("f", "{}"))), 0),
    ):
        calls.write_bytes(data)
        assert judge(calls).code == judge(calls, "--json").code == code


def test_standard_input(judge: Command) -> None:
    data = as_lines(recording(("f", "{}"), tools=TOOLS))
    ran = judge("-", "--json", stdin=data)
    assert ran.code == 1
    assert [call["faults"][0]["fault"] for row in ran.lines for call in row["calls"]] == [
        "missing_required"
    ]


@pytest.mark.parametrize(
    "tools",
    [
        TOOLS,
        {"tools": TOOLS},
        [{"name": "f", "input_schema": TOOLS[0]["function"]["parameters"]}],  # type: ignore[index]  # a literal above
        {
            "functionDeclarations": [
                {"name": "f", "parameters": {"type": "OBJECT", "required": ["a"]}}
            ]
        },
        [
            {
                "name": "f",
                "parameters": {
                    "type": "dict",
                    "properties": {"a": {"type": "int"}},
                    "required": ["a"],
                },
            }
        ],
    ],
)
def test_tools_from_a_file(judge: Command, calls: Path, tmp_path: Path, tools: Any) -> None:
    calls.write_bytes(as_lines({"calls": [{"name": "f", "arguments": "{}"}]}))
    file = tmp_path / "tools.json"
    file.write_text(json.dumps(tools, indent=1))
    ran = judge(calls, "--tools", file, "--json")
    assert ran.code == 1
    (fault,) = ran.lines[0]["calls"][0]["faults"]
    assert (fault["fault"], fault["pointer"]) == ("missing_required", "/a")


def test_tools_as_json_lines(judge: Command, calls: Path, tmp_path: Path) -> None:
    calls.write_bytes(as_lines({"calls": [{"name": "g"}, {"name": "f", "arguments": {"a": 1}}]}))
    file = tmp_path / "tools.jsonl"
    file.write_bytes(as_lines({"name": "g", "input_schema": {}}, TOOLS[0]))
    assert judge(calls, "--tools", file).code == 0


def test_a_document(judge: Command, calls: Path, tmp_path: Path) -> None:
    calls.write_bytes(
        as_lines({"calls": [{"name": "get_item", "arguments": {"id": 0}}, {"name": "add_item"}]})
    )
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(DOCUMENT))
    ran = judge(calls, "--openapi", document, "--json")
    found = [[(f["fault"], f["pointer"]) for f in call["faults"]] for call in ran.lines[0]["calls"]]
    assert found == [[("constraint", "/id")], [("missing_required", "/name")]]
    assert ran.code == 1


def test_the_documents_faults_are_told_apart(judge: Command, calls: Path) -> None:
    tool = {"name": "f", "input_schema": {"type": "object", "properties": {}, "required": ["b"]}}
    calls.write_bytes(as_lines(recording(("f", "{}"), tools=[tool])))
    ran = judge(calls, "--json")
    assert ran.code == 0
    (fault,) = ran.lines[0]["document_faults"]
    assert (fault["tool"], fault["pointer"]) == ("f", "/required")
    text = judge(calls).out
    assert "the tool's document is at fault: f /required: `required` names 'b'" in text


def test_what_people_read(judge: Command, calls: Path) -> None:
    calls.write_bytes(
        as_lines(
            recording(("f", '{"a": 1}'), ("f", '{"a": "[red]1"}'), tools=TOOLS),
            recording(("other", "{}")),
        )
        + b"oops\n"
    )
    ran = judge(calls)
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "f  row 1 reply 0",
        '    word_for_number  `/a` is "[red]1" (string); expected integer',
        "row 3 cannot be read: line 3 is not JSON: Expecting value at character 0, near 'oops\\n'",
        "",
        "3 calls in 2 replies (2 openai_chat)",
        "     1  good",
        "     1  wrong",
        "           1  word_for_number",
        "     1  without a contract: give one with --openapi or --tools",
        "     1  rows that cannot be read",
    ]


def test_odd_text_does_not_stop_the_command(judge: Command, calls: Path) -> None:
    odd = {"\ud83d": 1, "\x1b[31m\x00": 2, "[/bold]": 3}
    calls.write_bytes(
        as_lines(recording(("f", json.dumps(odd)), ("[bold]\ud83d", "{}"), tools=TOOLS))
    )
    for how in ((), ("--json",)):
        ran = judge(calls, *how)
        assert ran.code == 1
        assert "Traceback" not in ran.err
    assert len(ran.lines) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone.jsonl"], "cannot read gone.jsonl: No such file or directory; give a file"),
        (["."], "cannot read .: Is a directory"),
        (["-", "--tools", "gone.json"], "cannot read gone.json: No such file or directory"),
        (["-", "--openapi", "gone.yaml"], "cannot read gone.yaml"),
        (["-", "--openapi", "a", "--tools", "b"], "--openapi and --tools exclude each other"),
    ],
)
def test_what_cannot_run_says_so_in_one_line(
    judge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for how in ((), ("--json",)):
        ran = judge(*arguments, *how)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: {says}")
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{oops", "is not JSON"),
        ("[]", "holds no tools"),
        ('{"a": 1}', "holds no tools"),
        ("7", "holds no tools"),
        ("", "holds no tools"),
    ],
)
def test_a_file_without_tools(judge: Command, tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "tools.json"
    file.write_text(content)
    ran = judge("-", "--tools", file)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_the_samples(judge: Command, calls: Path) -> None:
    ran = judge(SAMPLES / "wire.jsonl", "--json")
    wrong = [row["row"] for row in ran.lines if any(call["faults"] for call in row["calls"])]
    assert ran.code == 1
    assert wrong == [20, 70, 71, 72]
    places = [(row["row"], row["reply"]) for row in ran.lines]
    assert places == sorted([*((row, 0) for row in range(1, 75)), (21, 1)])
    lines = (SAMPLES / "wire.jsonl").read_bytes().splitlines(keepends=True)
    calls.write_bytes(b"".join(line for row, line in enumerate(lines, 1) if row not in wrong))
    ran = judge(calls, "--json")
    assert ran.code == 0
    assert {row["row"] for row in ran.lines} == set(range(1, 71))
    assert not any(call["faults"] for row in ran.lines for call in row["calls"])


@pytest.mark.parametrize("name", EACH)
def test_a_long_recording(judge: Command, name: str) -> None:
    there = COLLECTIONS[name]
    ran = judge(there.talks, "--tools", there.tools, "--json")
    assert ran.code == 0
    assert sum(len(row["calls"]) for row in ran.lines) == {"samples": 38, "collection": 282}[name]
    replies = [(row["row"], row["reply"]) for row in ran.lines]
    assert replies == sorted(set(replies))

"""`plugin mutate`, from its arguments to its exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from plugin.harness.mistakes.rates import PER_10_000_CALLS
from tests.harness.command import Command, command
from tests.harness.recordings import SAMPLES

TOOL = {
    "name": "add",
    "input_schema": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "stars": {"type": "integer"}},
        "required": ["text"],
    },
}
CALL = {"id": "1", "name": "add", "arguments": '{"text": "x", "stars": 3}'}
ROW = json.dumps({"calls": [CALL, {"name": "add", "arguments": "{}"}]}).encode() + b"\n"


@pytest.fixture
def mutate(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capsysbinary, "mutate")


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capsysbinary, "judge")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([TOOL]))
    return path


def test_json_lines_are_as_they_are_promised(mutate: Command, tools: Path) -> None:
    ran = mutate("-", "--tools", tools, "--seed", 3, "--every", "--json", stdin=ROW)
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.lines) == 11
    (line,) = [one for one in ran.lines if one["mutation"] == "number_as_string"]
    assert line == {
        "row": 1,
        "reply": 0,
        "call": 0,
        "mutation": "number_as_string",
        "variety": "digits",
        "pointer": "/stars",
        "expect": "number_as_string",
        "undo": "lossless",
        "calls": [{"id": "1", "name": "add", "arguments": '{"text":"x","stars":"3"}'}],
    }
    assert {one["call"] for one in ran.lines} == {0}, "the wrong call is left alone"


def found(judged: list[Any]) -> list[set[tuple[str, str]]]:
    """The faults of the last call of each reply."""
    return [
        {(fault["fault"], fault["pointer"]) for fault in line["calls"][-1]["faults"]}
        for line in judged
    ]


@pytest.mark.parametrize("by_recording", [True, False])
def test_what_was_made_is_what_the_judge_finds(
    mutate: Command, judge: Command, tmp_path: Path, by_recording: bool
) -> None:
    if by_recording:  # the lines carry the tools that each recording declared
        data, given = (SAMPLES / "wire.jsonl").read_bytes(), []
    else:
        golden = json.loads((SAMPLES / "judge.json").read_bytes())
        rows = [{"calls": reply["calls"]} for reply in golden["replies"]]
        data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        file = tmp_path / "golden.json"
        file.write_text(json.dumps(golden["tools"]))
        given = ["--tools", str(file)]
    ran = mutate("-", *given, "--count", 5, "--json", stdin=data)
    assert ran.code == 0
    assert len(ran.lines) >= 25
    judged = judge("-", *given, "--json", stdin=ran.out.encode()).lines
    for line, faults in zip(ran.lines, found(judged), strict=True):
        assert (line["expect"], line["pointer"]) in faults, line


def test_the_same_seed_gives_the_same_lines(mutate: Command, tools: Path) -> None:
    options = ("-", "--tools", tools, "--count", 6, "--json")
    first = mutate(*options, "--seed", 1, stdin=ROW).out
    assert mutate(*options, "--seed", 1, stdin=ROW).out == first
    assert mutate(*options, "--seed", 2, stdin=ROW).out != first


def test_what_people_read(mutate: Command, tools: Path) -> None:
    ran = mutate("-", "--tools", tools, "--every", stdin=ROW)
    assert ran.code == 0
    assert ran.out.startswith("11 mistakes in 1 of 2 calls\n")
    for name in PER_10_000_CALLS:
        assert name in ran.out
    assert "1 calls were left alone: wrong, or without a contract." in ran.out
    assert "48,511 function calls" in ran.out


def test_without_a_contract_nothing_can_be_made(mutate: Command) -> None:
    ran = mutate("-", stdin=ROW)
    assert ran.code == 1
    assert "give a contract with --openapi or --tools" in ran.out


def test_rows_that_cannot_be_read(mutate: Command, tools: Path) -> None:
    ran = mutate("-", "--tools", tools, "--json", stdin=ROW + b"oops\n")
    assert ran.code == 1
    assert [sorted(line) for line in ran.lines][-1] == ["error", "row"]
    ran = mutate("-", "--tools", tools, stdin=ROW + b"oops\n")
    assert ran.code == 1
    assert "1 rows cannot be read" in ran.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--openapi", "a", "--tools", "b"], "--openapi and --tools exclude each other"),
        (["--openapi", "gone.yaml"], "cannot read gone.yaml"),
    ],
)
def test_what_cannot_run_says_so_in_one_line(
    mutate: Command, arguments: list[str], says: str
) -> None:
    ran = mutate("-", *arguments, stdin=ROW)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1

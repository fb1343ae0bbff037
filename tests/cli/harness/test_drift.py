"""`plugin drift`, from its arguments to its exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Command, command


@pytest.fixture
def drift(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capsysbinary, "drift")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write(tmp_path / "old.json", required=["location"])
    write(tmp_path / "new.json", required=["location", "unit"])
    calls = [{"location": "Paris"}, {"location": "Paris", "unit": "celsius"}, {}]
    lines = [json.dumps(recording(arguments)) for arguments in calls]
    (tmp_path / "calls.jsonl").write_text("\n".join(lines))
    return tmp_path


def write(file: Path, required: list[str]) -> None:
    parameters = [
        {"name": name, "in": "query", "required": name in required, "schema": {"type": "string"}}
        for name in ("location", "unit")
    ]
    operation = {"operationId": "get_weather", "parameters": parameters}
    document = {"openapi": "3.1.0", "paths": {"/weather": {"get": operation}}}
    file.write_text(json.dumps(document))


def recording(arguments: Any, name: str = "get_weather") -> Any:
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": "call_1", "type": "function", "function": function}
    return {"choices": [{"message": {"tool_calls": [call]}}]}


def given(here: Path, old: str = "old.json", new: str = "new.json") -> tuple[Any, ...]:
    return (here / "calls.jsonl", "--old", here / old, "--new", here / new)


def test_json_lines_are_as_they_are_promised(drift: Command, here: Path) -> None:
    ran = drift(*given(here), "--json")
    assert ran.code == 1
    assert ran.lines == [
        {
            "row": 1,
            "reply": 0,
            "call": 0,
            "operation": "get_weather",
            "faults": [
                {
                    "fault": "missing_required",
                    "pointer": "/unit",
                    "message": "`unit` (string) is required and missing",
                }
            ],
            "because": "`unit` became required",
        }
    ]


def test_the_summary_says_how_many_and_why(drift: Command, here: Path) -> None:
    ran = drift(*given(here))
    assert ran.code == 1
    assert "1 of 3 recorded calls breaks if this contract ships." in ran.out
    assert "1 of 3: `unit` became required  (get_weather)" in ran.out
    assert "get_weather  row 1 reply 0 call 0  missing_required" in ran.out
    assert "1 still fit; 1 did not fit the old contract either." in ran.out


def test_markdown_for_a_pull_request(drift: Command, here: Path) -> None:
    ran = drift(*given(here), "--github")
    assert ran.code == 1
    assert ran.out.startswith("### 1 of 3 recorded calls breaks")
    assert "| 1 | `get_weather` | `unit` became required |" in ran.out


def test_nothing_breaks_under_the_same_contract(drift: Command, here: Path) -> None:
    for option in ((), ("--json",), ("--github",)):
        ran = drift(*given(here, new="old.json"), *option)
        assert (ran.code, ran.err) == (0, "")
        assert "breaks" in ran.out or option == ("--json",)


def test_calls_can_come_from_standard_input(drift: Command, here: Path) -> None:
    calls = (here / "calls.jsonl").read_bytes()
    ran = drift("-", *given(here)[1:], "--json", stdin=calls)
    assert (ran.code, len(ran.lines)) == (1, 1)


def test_a_row_that_cannot_be_read_is_a_finding(drift: Command, here: Path) -> None:
    with (here / "calls.jsonl").open("a") as file:
        file.write("\n{oops\n")
    ran = drift(*given(here, new="old.json"), "--json")
    assert ran.code == 1
    assert [line["row"] for line in ran.lines] == [4]
    assert "rows cannot be read" in drift(*given(here)).out


def test_calls_of_another_contract_are_not_passed_silently(drift: Command, here: Path) -> None:
    (here / "calls.jsonl").write_text(json.dumps(recording({}, name="other")))
    ran = drift(*given(here), "--json")
    assert (ran.code, ran.out) == (1, "")
    assert "names an operation of the old contract" in ran.err
    assert "names an operation of the old contract" in drift(*given(here)).out


def test_what_cannot_run_says_why(drift: Command, here: Path) -> None:
    for arguments, said in (
        ((*given(here), "--json", "--github"), "exclude each other"),
        (("-", "--old", "-", "--new", here / "new.json"), "only one of"),
        (given(here, new="none.json"), "cannot read"),
        (("none.jsonl", *given(here)[1:]), "cannot read none.jsonl"),
    ):
        ran = drift(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert said in ran.err

"""`plugin replay --mutate` and `--repair`, from their arguments to their exit codes."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.harness.command import Command, command

APPLICATIONS = "tests.harness.applications"
GOOD = {"name": "get_item", "arguments": '{"id": 1}'}
TODO = {"name": "add_todo", "arguments": '{"text": "Buy milk"}'}
GRADE = ["gives_example", "names_argument", "refusal", "says_expected", "side_effect"]


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    monkeypatch.delenv("PLUGIN_KEY", raising=False)
    return command(monkeypatch, capsysbinary, "replay")


def recorded(*calls: Any) -> bytes:
    return b"".join(json.dumps({"calls": [call]}).encode() + b"\n" for call in calls)


def test_our_own_operations_refuse_mistakes(replay: Command) -> None:
    ran = replay("-", "--mutate", "--every", "--json", stdin=recorded(TODO))
    assert (ran.code, ran.err) == (0, "")
    by_mistake = {line["mutation"]: line for line in ran.lines}
    constraint = by_mistake["constraint"]
    assert (constraint["outcome"], constraint["status"]) == ("call_was_wrong", 422)
    assert sorted(constraint["grade"]) == GRADE
    assert constraint["grade"]["refusal"] == "refused"
    assert constraint["grade"]["side_effect"] == "none"
    assert constraint["grade"]["names_argument"]
    assert constraint["grade"]["says_expected"]
    assert by_mistake["unknown_function"]["grade"]["refusal"] == "not_expressible"
    assert by_mistake["duplicate_parallel"]["grade"]["refusal"] == "by_harness"
    assert by_mistake["duplicate_parallel"]["status"] is None


def test_a_service_that_takes_everything(replay: Command, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    options = ("-", "--app", f"{APPLICATIONS}:good", "--mutate", "--every")
    ran = replay(*options, "--junit", file, stdin=recorded(GOOD))
    assert ran.code == 1
    assert "0 of 3 mistakes refused" in ran.out
    assert "3 whose side effects cannot be seen from outside" in ran.out
    assert "accepted: the service did not refuse the mistake" in ran.out
    cases = list(ET.parse(file).getroot().iter("testcase"))  # noqa: S314 - it is our own
    assert sum(case.find("failure") is not None for case in cases) == 3
    assert any((case.get("name") or "").endswith("wrong_type at /id") for case in cases)


def test_count_and_seed(replay: Command) -> None:
    options = ("-", "--mutate", "--count", 5, "--json")
    lines = [
        [(line["mutation"], line["variety"]) for line in ran.lines]
        for ran in (
            replay(*options, "--seed", 1, stdin=recorded(TODO)),
            replay(*options, "--seed", 1, stdin=recorded(TODO)),
            replay(*options, "--seed", 2, stdin=recorded(TODO)),
        )
    ]
    assert len(lines[0]) == 5
    assert lines[0] == lines[1] != lines[2]


def test_nothing_to_make_mistakes_in(replay: Command) -> None:
    ran = replay("-", "--mutate", stdin=recorded({"name": "gone", "arguments": "{}"}))
    assert ran.code == 1
    assert ran.out.startswith("No mistake was sent")


@pytest.mark.parametrize(
    ("arguments", "mode", "outcome", "code"),
    [
        ('{"todo_id": "1"}', "off", "call_was_wrong", 1),
        ('{"todo_id": "1"}', "lossless", "repaired", 0),
        ('{"todo_id": "1", "note": "x"}', "lossless", "call_was_wrong", 1),
        ('{"todo_id": "1", "note": "x"}', "lenient", "repaired", 0),
        ('{"todo_id": 1}', "lenient", "passed", 0),
        ('{"todo_id": "one"}', "lenient", "call_was_wrong", 1),
    ],
)
def test_repairs(replay: Command, arguments: str, mode: str, outcome: str, code: int) -> None:
    complete = {"name": "complete_todo", "arguments": arguments}
    ran = replay("-", "--repair", mode, "--json", stdin=recorded(TODO, complete))
    line = ran.lines[-1]
    assert (line["outcome"], ran.code) == (outcome, code)
    assert bool(line["repairs"]) is (outcome == "repaired")
    if outcome == "repaired":
        assert line["status"] == 200
        assert line["repairs"][0].startswith("`/todo_id`") or "`/note`" in line["repairs"][0]
        assert line["faults"], "what was wrong is still said"


def test_repairs_are_off_by_default(replay: Command) -> None:
    (line,) = replay(
        *("-", "--json", "--app", f"{APPLICATIONS}:good"),
        stdin=recorded({"name": "get_item", "arguments": '{"id": "1"}'}),
    ).lines
    assert (line["outcome"], line["repairs"]) == ("call_was_wrong", [])


def test_a_repaired_call_shows_a_broken_service(replay: Command) -> None:
    (line,) = replay(
        *("-", "--json", "--repair", "lossless", "--app", f"{APPLICATIONS}:missing_property"),
        stdin=recorded({"name": "get_item", "arguments": '{"id": "1"}'}),
    ).lines
    assert line["outcome"] == "service_broke_contract"
    assert line["repairs"] == ['`/id`: "1" read as 1']


def test_a_mode_that_does_not_exist(replay: Command) -> None:
    ran = replay("-", "--repair", "all", stdin=recorded(GOOD))
    assert ran.code == 2
    assert "lossless" in ran.err

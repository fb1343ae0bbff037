"""GitHub's workflow commands and summaries, read back as the runner reads them."""

import re
from typing import Any

import pytest

from plugin.harness.checks import Check
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.reports.annotations import annotations, summary
from plugin.harness.reports.findings import Findings
from plugin.harness.transcript import Unreadable

COMMAND = re.compile(r"::(\w+) ([^\n\r]*?)::([^\n\r]*)")


def read(command: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner takes it apart."""
    found = COMMAND.fullmatch(command)
    assert found, command
    level, written, data = found.groups()
    pairs = (part.partition("=") for part in written.split(","))
    return level, {key: decoded(value) for key, _, value in pairs}, decoded(data)


def decoded(text: str) -> str:
    for code, mark in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, mark)
    return text


def broken(row: int, name: str = "f", message: str = "no") -> Replayed:
    checks = (Check("schema", ok=False, message=message),)
    return Replayed(row, 0, 0, name, name, Outcome.SERVICE_BROKE_CONTRACT, checks=checks)


def wrong(row: int, name: str = "f", kind: FaultKind = FaultKind.WRONG_TYPE) -> Replayed:
    faults = (Fault("/a", kind, "is wrong"),)
    return Replayed(row, 0, 0, name, name, Outcome.CALL_WAS_WRONG, faults=faults)


def found(*events: Replayed | Unreadable) -> Findings:
    findings = Findings()
    for event in events:
        findings.add(event)
    return findings


def commands(*events: Replayed | Unreadable, **more: Any) -> list[tuple[str, dict[str, str], str]]:
    options = {"file": "calls.jsonl", "rows_are_lines": True, **more}
    return [read(command) for command in annotations(found(*events), **options)]


def test_the_service_comes_first_each_call_at_its_line() -> None:
    assert commands(wrong(3), broken(7), Replayed(1, 0, 0, "f", "f", Outcome.PASSED)) == [
        (
            "error",
            {"file": "calls.jsonl", "line": "7", "title": "f: the service broke its contract"},
            "schema: no",
        ),
        (
            "error",
            {"file": "calls.jsonl", "line": "3", "title": "f: the call was wrong"},
            "wrong_type: is wrong",
        ),
    ]


def test_no_more_errors_than_github_shows() -> None:
    many = commands(*(wrong(row) for row in range(1, 30)), *(broken(row) for row in range(40, 45)))
    assert [(said["line"], text) for _, said, text in many] == [
        ("40", "schema: no (and 4 more calls like this)"),
        ("1", "wrong_type: is wrong (and 28 more calls like this)"),
    ]
    kinds = [wrong(row, f"f{row}") for row in range(1, 41)]
    assert len(commands(*kinds)) == 10
    assert commands(*kinds)[-1][2] == "31 more kinds of failure: see the log"
    assert len(commands(*(wrong(row) for row in range(1, 11)))) == 10


def test_rows_that_are_no_lines_and_calls_from_no_file() -> None:
    ((_, said, text),) = commands(broken(7), rows_are_lines=False)
    assert ("line" in said, text) == (False, "row 7: schema: no")
    ((_, said, text),) = commands(broken(7), file=None)
    assert (said, text) == ({"title": "f: the service broke its contract"}, "schema: no")


def test_rows_that_cannot_be_read_and_calls_that_were_not_sent() -> None:
    unsent = Replayed(1, 0, 0, "f", "f", Outcome.NOT_SENT, reason="no leave")
    (error, notice) = commands(Unreadable(4, "line 4 is not JSON"), unsent)
    assert (error[0], error[1]["line"], error[2]) == ("error", "4", "line 4 is not JSON")
    assert (notice[0], notice[2]) == ("notice", "1 calls were not sent")


@pytest.mark.parametrize(
    "odd",
    ["\n::error::x", "a\r\n::set-env name=A::b", "a,file=b::c", "100%0A", "%3A", "\x1b[31m::"],
)
def test_nothing_that_was_written_is_a_command(odd: str) -> None:
    ((level, said, text),) = commands(broken(1, odd, odd), file=f"{odd}.jsonl")
    assert level == "error"
    assert text == f"schema: {odd}".replace("\x1b", "\\x1b")
    assert said.keys() == {"file", "line", "title"}
    assert said["title"].startswith(odd.replace("\x1b", "\\x1b"))


def test_a_summary() -> None:
    events = (broken(7), wrong(3, "g"), Replayed(1, 0, 0, "f", "f", Outcome.PASSED))
    assert summary(found(*events), "calls.jsonl").splitlines() == [
        "### The service broke its contract in 1 call; 1 call was wrong.",
        "",
        "3 calls of calls.jsonl",
        "",
        "| operation | The service broke its contract | The call was wrong | Passed |",
        "| :-- | --: | --: | --: |",
        "| f | 1 | 0 | 1 |",
        "| g | 0 | 1 | 0 |",
        "",
        "- **f: the service broke its contract** (row 7): schema: no",
        "- **g: the call was wrong** (row 3): wrong&#95;type: is wrong",
    ]


def test_a_summary_holds_no_markup_of_a_models() -> None:
    odd = "<img src=x>|`*_[a](b)\n# c @d"
    text = summary(found(broken(1, odd, odd), Unreadable(2, odd)), odd)
    assert not set("<>`*_[]()@") & set(re.sub(r"\*\*|\(row 1\)|&#\d+;", "", text))
    assert "\n# c" not in text


def test_a_summary_of_a_large_run_stays_small() -> None:
    events = [wrong(row, f"f{row}", kind) for row in range(400) for kind in FaultKind]
    text = summary(found(*events), "calls.jsonl")
    assert len(text) < 100_000
    assert "- … and 5,900 more kinds of failure" in text

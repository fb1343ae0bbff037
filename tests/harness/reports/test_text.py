"""JSON lines and JUnit, as machines read them."""

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from plugin.harness.checks import Check
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.json_text import dumps
from plugin.harness.judge import Judge, unjudged
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.reports.text import (
    document_faults,
    explanation,
    judged_line,
    junit,
    replayed_line,
    unreadable_line,
)
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FAULT = Fault("/a", FaultKind.NUMBER_AS_STRING, "`/a` is a text")


def line(value: Any) -> Any:
    """The value as it comes out of the other end of a pipe."""
    return json.loads(dumps(value))


def test_a_judged_reply() -> None:
    calls = (Call("1", "f", '{"a": "1"}'), Call(None, "f", {"a": 2}))
    verdicts = Judge({"f": SCHEMA}).judge(calls)
    found = line(judged_line(Reply(3, 1, "messages", calls, None), verdicts, None))
    assert found == {
        "row": 3,
        "reply": 1,
        "format": "messages",
        "calls": [
            {
                "id": "1",
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
            {"id": None, "name": "f", "arguments": {"a": 2}, "faults": [], "contract": True},
        ],
    }


def test_a_reply_without_calls_and_one_without_a_contract() -> None:
    assert line(judged_line(Reply(1, 0, "gemini", (), None), [], None))["calls"] == []
    calls = (Call("1", "f", "{"),)
    found = line(judged_line(Reply(1, 0, "gemini", calls, None), unjudged(calls), None))
    assert found["calls"] == [
        {"id": "1", "name": "f", "arguments": "{", "faults": [], "contract": False}
    ]


def test_faults_of_the_document_are_told_of_called_tools_only() -> None:
    broken = {**SCHEMA, "required": ["b"]}
    judge = Judge({"f": broken, "g": broken})
    calls = (Call("1", "f", "{}"), Call("2", "f", '{"a": 1}'), Call("3", "h", "{}"))
    verdicts = judge.judge(calls)
    assert [(name, fault.pointer) for name, fault in document_faults(verdicts, judge)] == [
        ("f", "/required")
    ]
    found = line(judged_line(Reply(1, 0, "calls", calls, None), verdicts, judge))
    (fault,) = found["document_faults"]
    assert (fault["tool"], fault["pointer"]) == ("f", "/required")
    assert document_faults(verdicts, None) == []


def test_a_row_that_cannot_be_read() -> None:
    assert unreadable_line(Unreadable(4, "no")) == {"row": 4, "error": "no"}


REPLAYED = Replayed(
    row=2,
    reply=0,
    call=1,
    name="f",
    operation="f",
    outcome=Outcome.SERVICE_BROKE_CONTRACT,
    faults=(FAULT,),
    status=500,
    milliseconds=1.25,
    checks=(Check("status", ok=False, message="500: the service failed"), Check("size", ok=True)),
)


def test_a_replayed_call() -> None:
    assert line(replayed_line(REPLAYED)) == {
        "row": 2,
        "reply": 0,
        "call": 1,
        "operation": "f",
        "outcome": "service_broke_contract",
        "faults": [{"fault": "number_as_string", "pointer": "/a", "message": "`/a` is a text"}],
        "repairs": [],
        "status": 500,
        "milliseconds": 1.25,
        "checks": [
            {"check": "status", "ok": False, "message": "500: the service failed"},
            {"check": "size", "ok": True, "message": ""},
        ],
    }


def test_a_call_that_was_not_sent_says_why() -> None:
    event = Replayed(1, 0, 0, "f", None, Outcome.NOT_SENT, reason="because")
    found = line(replayed_line(event))
    assert (found["reason"], found["status"], found["milliseconds"]) == ("because", None, None)
    assert found["operation"] is None


def test_an_explanation_puts_the_service_first() -> None:
    assert explanation(REPLAYED) == [
        "status: 500: the service failed",
        "number_as_string: `/a` is a text",
    ]


def event(outcome: Outcome, name: str = "f", **more: Any) -> Replayed:
    return Replayed(1, 0, 0, name, name, outcome, **more)


def test_junit_counts() -> None:
    document = ET.fromstring(  # noqa: S314 - it is our own
        junit(
            [
                event(Outcome.PASSED, milliseconds=1234.5),
                event(Outcome.REPAIRED),
                event(Outcome.NOT_SENT, reason="no leave"),
                event(Outcome.CALL_WAS_WRONG, faults=(FAULT,)),
                REPLAYED,
                event(Outcome.PASSED, "g"),
                Unreadable(9, "line 9 is not JSON"),
            ]
        )
    )
    suites = {suite.get("name"): suite for suite in document}
    assert {
        name: [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
        for name, suite in suites.items()
    } == {
        "f": ["5", "2", "0", "1"],
        "g": ["1", "0", "0", "0"],
        "transcript": ["1", "0", "1", "0"],
    }
    for suite in suites.values():
        assert len(suite.findall("testcase")) == int(suite.get("tests", "-1"))
        for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(key, "-1"))


def test_what_a_junit_case_says() -> None:
    document = ET.fromstring(junit([REPLAYED, event(Outcome.CALL_WAS_WRONG, faults=(FAULT,))]))  # noqa: S314
    cases = document.findall("testsuite/testcase")
    assert cases[0].attrib == {
        "classname": "f",
        "name": "row 2 reply 0 call 1",
        "time": "0.001250",
    }
    failures = [case.find("failure") for case in cases]
    assert [failure.get("type") for failure in failures if failure is not None] == [
        "service_broke_contract",
        "call_was_wrong",
    ]
    assert failures[0] is not None
    assert failures[0].get("message") == "status: 500: the service failed"
    assert failures[0].text == "\n".join(explanation(REPLAYED))


@pytest.mark.parametrize(
    "odd", ["\x00", "\x1b[31m", "\ufffe", "\ud800", "<&\">'", "]]>", "\x7f", "é"]
)
def test_junit_is_xml_whatever_a_model_or_a_service_wrote(odd: str) -> None:
    events: list[Replayed | Unreadable] = [
        event(
            Outcome.CALL_WAS_WRONG,
            f"name {odd}",
            faults=(Fault(f"/{odd}", FaultKind.UNKNOWN_KEY, odd),),
        ),
        event(Outcome.NOT_SENT, f"name {odd}", reason=odd),
        event(
            Outcome.SERVICE_BROKE_CONTRACT, odd, checks=(Check("schema", ok=False, message=odd),)
        ),
        Unreadable(1, odd),
    ]
    document = ET.fromstring(junit(events))  # noqa: S314 - it is our own
    assert [suite.get("tests") for suite in document] == ["2", "1", "1"]

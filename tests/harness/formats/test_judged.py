"""The harness's own shape: what `plugin judge --json` prints can be judged again."""

import json

from plugin.harness.json_text import dumps
from plugin.harness.judge import Judge
from plugin.harness.reports import text as report
from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.recordings import read_values, the_reply


def test_what_was_judged_can_be_read_again() -> None:
    calls = (Call("1", "f", '{"a": 1'), Call(None, "g", {"b": 2**70}), Call("3", "f", None))
    reply = Reply(4, 2, "anthropic", calls, None)
    line = report.judged_line(reply, Judge({"f": {}}).judge(calls), None)
    assert the_reply(json.loads(dumps(line)), "calls") == calls


def test_only_names_are_needed() -> None:
    assert the_reply({"calls": [{"name": "f"}]}, "calls") == (Call(None, "f", None),)
    assert the_reply({"calls": []}, "calls") == ()


def test_calls_without_names_are_something_else() -> None:
    (row,) = read_values({"calls": [{"arguments": {}}]})
    assert not isinstance(row, Reply)

"""Collections of recordings, ours and the real ones: every call found, and no false alarm."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.harness import transcript
from plugin.harness.declared import Judges
from plugin.harness.transcript import Reply
from tests.harness.recordings import COLLECTIONS, EACH, lines_of

pytestmark = pytest.mark.parametrize("name", EACH)

Found = list[tuple[str, Any]]
Finder = Callable[[Any], Iterator[tuple[str, Any]]]

ROWS = {"samples": 74, "collection": 381}
WITHOUT_CONTRACT = {"samples": 3, "collection": 4}
TALKS = {"samples": (12, 38), "collection": (50, 282)}
"""Conversations, and the calls in them."""
ANSWERS = {"samples": 48, "collection": 766}

# Rows of wire_interactions.jsonl whose calls are wrong indeed, and why.
MADE_UP_NAME = (109, 116, 122, 129, 133, 138, 145, 151, 162, 166, 170, 193, 200, 202, 208, 212)
MADE_UP_TYPE = (124, 184, 191, 218, 231, 244)
NOT_OFFERED = (115, 144, 161, 207, 211, 228)
WRONG_IN_THE_COLLECTION: dict[int, Found] = {
    # Gemini makes up arguments for `get_file`, which declares none …
    **{row: [("unknown_key", "/name")] for row in (*MADE_UP_NAME, 225, 229, 235, 242)},
    **{row: [("unknown_key", "/type")] for row in MADE_UP_TYPE},
    149: [("unknown_key", "/parameters")],
    # … and calls `list_files`, which was not offered
    **{row: [("unknown_function", "")] for row in NOT_OFFERED},
    # three times the same call without arguments
    78: [("duplicate_parallel", ""), ("duplicate_parallel", "")],
}
# Rows of our wire.jsonl whose calls are wrong on purpose, in the same ways.
WRONG_IN_THE_SAMPLES: dict[int, Found] = {
    20: [("duplicate_parallel", ""), ("duplicate_parallel", "")],
    70: [("unknown_key", "/shape")],
    71: [("unknown_key", "/options")],
    72: [("unknown_function", "")],
}
WRONG_ON_THE_WIRE = {"samples": WRONG_IN_THE_SAMPLES, "collection": WRONG_IN_THE_COLLECTION}

# Accepted answers of the benchmark that break the benchmark's own schemas: errors of its data.
BOOLEAN_FOR_TEXT = "the schema asks for text, the answer gives a boolean"
NOT_A_YEAR = "the schema asks for an integer, the answer gives the word dontcare"
WRONG_ANSWERS_OF_THE_BENCHMARK = {
    "live_multiple_304-131-3": BOOLEAN_FOR_TEXT,
    "live_multiple_308-131-7": BOOLEAN_FOR_TEXT,
    "live_multiple_344-133-8": NOT_A_YEAR,
    "live_multiple_352-133-16": NOT_A_YEAR,
    "live_multiple_552-153-1": BOOLEAN_FOR_TEXT,
    "live_multiple_596-158-2": "the schema asks for text, the answer gives the number of rooms",
    "live_multiple_732-167-3": BOOLEAN_FOR_TEXT,
    "live_multiple_736-167-7": BOOLEAN_FOR_TEXT,
    "live_multiple_756-169-11": "the enum has Horror, the answer gives horror",
    "live_multiple_964-207-0": "the tool has `statement`, the answer gives `question`",
    "live_simple_112-68-0": "five lists are required, the answer gives none of them",
    "parallel_152": "the schema asks for an integer, the answer gives null",
    "parallel_multiple_12": "the tool has no `permeability`",
}
# Answers of our samples that are wrong on purpose.
WRONG_ANSWERS_OF_OURS = {
    "wrong_1": BOOLEAN_FOR_TEXT,
    "wrong_2": "the schema asks for an integer, the answer gives the word any",
    "wrong_3": "the enum has south, the answer gives South",
    "wrong_4": "the tool has no `metal`",
    "wrong_5": "`ring` is required, the answer leaves it out",
    "wrong_6": "the schema asks for an integer, the answer gives null",
    "wrong_7": "the schema asks for text, the answer gives a number",
}
WRONG_ANSWERS = {"samples": WRONG_ANSWERS_OF_OURS, "collection": WRONG_ANSWERS_OF_THE_BENCHMARK}


def read(path: Path) -> list[Reply]:
    with path.open("rb") as file:
        found = list(transcript.read(file))
    assert all(isinstance(one, Reply) for one in found)
    return [one for one in found if isinstance(one, Reply)]


# -- a second, plain way to find the calls ---------------------------------------------------------


def events(text: str) -> list[Any]:
    """The values of a stream; these recordings hold one `data:` line an event."""
    data = (line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:"))
    return [json.loads(one) for one in data if one.strip() != "[DONE]"]


def nothing(_: Any) -> Iterator[tuple[str, Any]]:
    """What the provider ran itself is no call to judge."""
    return iter(())


def legacy(response: Any) -> Iterator[tuple[str, Any]]:
    for choice in response["choices"]:
        function = choice["message"]["function_call"]
        if function["name"]:
            yield function["name"], function["arguments"]


def legacy_stream(text: str) -> Iterator[tuple[str, Any]]:
    deltas = [choice["delta"] for event in events(text) for choice in event["choices"]]
    pieces = [delta["function_call"] for delta in deltas if "function_call" in delta]
    names = [piece["name"] for piece in pieces if "name" in piece]
    yield "".join(names), "".join(piece["arguments"] for piece in pieces)


def items(response: Any) -> Iterator[tuple[str, Any]]:
    for item in response["output"]:
        if item["type"] == "function_call":
            yield item["name"], item["arguments"]


def items_stream(text: str) -> Iterator[tuple[str, Any]]:
    found = events(text)
    (whole,) = [one["response"] for one in found if one["type"] == "response.completed"]
    return items(whole)


def parts(response: Any) -> Iterator[tuple[str, Any]]:
    candidates = [
        candidate
        for chunk in (response if isinstance(response, list) else [response])
        for candidate in chunk.get("candidates") or []
    ]
    for candidate in candidates:
        for part in (candidate.get("content") or {}).get("parts") or []:
            if part.get("functionCall"):
                yield part["functionCall"]["name"], part["functionCall"].get("args")


def parts_stream(text: str) -> Iterator[tuple[str, Any]]:
    return parts(events(text))


def chat(response: Any) -> Iterator[tuple[str, Any]]:
    for choice in response["choices"]:
        for call in choice["message"].get("tool_calls") or []:
            yield call["function"]["name"], call["function"].get("arguments")


def chat_stream(text: str) -> Iterator[tuple[str, Any]]:
    calls: dict[str, list[str]] = {}
    last = ""
    for event in events(text):
        for choice in event.get("choices") or []:
            for call in choice["delta"].get("tool_calls") or []:
                if call.get("id"):
                    last = call["id"]
                found = calls.setdefault(last, ["", ""])
                found[0] = found[0] or call["function"].get("name") or ""
                found[1] += call["function"].get("arguments") or ""
    yield from ((name, arguments) for name, arguments in calls.values())


def blocks(response: Any) -> Iterator[tuple[str, Any]]:
    for block in response["content"]:
        if block["type"] == "tool_use":
            yield block["name"], block["input"]


def anthropic_stream(text: str) -> Iterator[tuple[str, Any]]:
    name = ""
    for event in events(text):
        if event["type"] == "content_block_start":
            block = event["content_block"]
            name, written = (block.get("name", ""), "") if block["type"] == "tool_use" else ("", "")
        elif event["type"] == "content_block_delta" and name:
            written += event["delta"].get("partial_json", "")
        elif event["type"] == "content_block_stop" and name:
            yield name, written or {}
            name = ""


PLAIN: dict[tuple[str, bool], Finder] = {
    ("openai_chat", False): chat,
    ("openai_chat", True): chat_stream,
    ("openai_legacy", False): legacy,
    ("openai_legacy", True): legacy_stream,
    ("openai_responses", False): items,
    ("openai_responses", True): items_stream,
    ("openai_mcp_call", False): nothing,
    ("anthropic", False): blocks,
    ("anthropic", True): anthropic_stream,
    ("gemini", False): parts,
    ("gemini", True): parts_stream,
}
"""How each style is read here; the real recordings hold no streams of two of the styles."""


# -- the recordings --------------------------------------------------------------------------------


def test_every_recorded_reply_is_read_with_every_call_as_written(name: str) -> None:
    rows = lines_of(COLLECTIONS[name].wire)
    assert len(rows) == ROWS[name]
    read_by_row: dict[int, list[Reply]] = {}
    for reply in read(COLLECTIONS[name].wire):
        read_by_row.setdefault(reply.row, []).append(reply)
    assert sorted(read_by_row) == list(range(1, ROWS[name] + 1))
    for number, row in enumerate(rows, start=1):
        expected = list(PLAIN[row["style"], row["streamed"]](row["response"]))
        found = [(call.name, call.arguments) for one in read_by_row[number] for call in one.calls]
        assert found == expected, number
        style = row["style"].replace("openai_mcp_call", "openai_responses")
        assert {one.format for one in read_by_row[number]} == {style}, number


def test_recorded_calls_are_judged_good_but_for_those_that_are_wrong(name: str) -> None:
    wrong: dict[int, Found] = {}
    judges, without_contract = Judges(), []
    for reply in read(COLLECTIONS[name].wire):
        for verdict in judges.verdicts(reply):
            if verdict.faults:
                faults = [(str(fault.fault), fault.pointer) for fault in verdict.faults]
                wrong.setdefault(reply.row, []).extend(faults)
            if not verdict.contract:
                without_contract.append(reply.row)
    assert wrong == WRONG_ON_THE_WIRE[name]
    assert len(without_contract) == WITHOUT_CONTRACT[name]


def test_the_conversations(name: str) -> None:
    there, (talks, calls) = COLLECTIONS[name], TALKS[name]
    rows = lines_of(there.talks)
    expected = [
        (number, call["function"]["name"], call["function"]["arguments"], call["id"])
        for number, row in enumerate(rows, start=1)
        for message in row[there.messages]
        for call in message.get("tool_calls") or []
    ]
    found, index_by_row = [], dict.fromkeys(range(1, talks + 1), 0)
    judge = there.judge_of_talks()
    for reply in read(there.talks):
        assert reply.format == "messages"
        assert reply.index == index_by_row[reply.row]
        index_by_row[reply.row] += 1
        found += [(reply.row, call.name, call.arguments, call.id) for call in reply.calls]
        assert [verdict.faults for verdict in judge.judge(reply.calls)] == [()] * len(reply.calls)
    assert found == expected
    assert len(found) == calls
    assert all(index_by_row.values()), "each conversation holds replies"


# -- accepted answers ------------------------------------------------------------------------------


def test_accepted_answers_are_judged_good_but_for_errors_of_the_data(name: str) -> None:
    total, wrong = 0, set()
    for question, judge, calls in COLLECTIONS[name].answered():
        total += len(calls)
        for call in calls:
            (verdict,) = judge.judge([call])
            if verdict.faults:
                wrong.add(question)
    assert total == ANSWERS[name]
    assert wrong == WRONG_ANSWERS[name].keys()

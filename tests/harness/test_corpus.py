"""The larger collections of recordings: every call found, and no false alarm."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from plugin.contract.declared import read_tools
from plugin.harness import transcript
from plugin.harness.declared import Judges
from plugin.harness.judge import Judge
from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.recordings import CORPUS, chosen, lines_of, needs_corpus

pytestmark = needs_corpus

Found = list[tuple[str, Any]]
Finder = Callable[[Any], Iterator[tuple[str, Any]]]

# Rows of wire_interactions.jsonl whose calls are wrong indeed, and why.
MADE_UP_NAME = (109, 116, 122, 129, 133, 138, 145, 151, 162, 166, 170, 193, 200, 202, 208, 212)
MADE_UP_TYPE = (124, 184, 191, 218, 231, 244)
NOT_OFFERED = (115, 144, 161, 207, 211, 228)
WRONG_ON_THE_WIRE: dict[int, Found] = {
    # Gemini makes up arguments for `get_file`, which declares none …
    **{row: [("unknown_key", "/name")] for row in (*MADE_UP_NAME, 225, 229, 235, 242)},
    **{row: [("unknown_key", "/type")] for row in MADE_UP_TYPE},
    149: [("unknown_key", "/parameters")],
    # … and calls `list_files`, which was not offered
    **{row: [("unknown_function", "")] for row in NOT_OFFERED},
    # three times the same call without arguments
    78: [("duplicate_parallel", ""), ("duplicate_parallel", "")],
}

# Accepted answers of the benchmark that break the benchmark's own schemas: errors of its data.
BOOLEAN_FOR_TEXT = "the schema asks for text, the answer gives a boolean"
NOT_A_YEAR = "the schema asks for an integer, the answer gives the word dontcare"
WRONG_ANSWERS = {
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


def read(name: str) -> list[Reply]:
    with (CORPUS / name).open("rb") as file:
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
    ("openai_responses", False): items,
    ("openai_responses", True): items_stream,
    ("openai_mcp_call", False): nothing,
    ("anthropic", False): blocks,
    ("anthropic", True): anthropic_stream,
    ("gemini", False): parts,
}


# -- the recordings --------------------------------------------------------------------------------


def test_every_recorded_reply_is_read_with_every_call_as_written() -> None:
    rows = lines_of(CORPUS / "wire_interactions.jsonl")
    assert len(rows) == 381
    read_by_row: dict[int, list[Reply]] = {}
    for reply in read("wire_interactions.jsonl"):
        read_by_row.setdefault(reply.row, []).append(reply)
    assert sorted(read_by_row) == list(range(1, 382))
    for number, row in enumerate(rows, start=1):
        expected = list(PLAIN[row["style"], row["streamed"]](row["response"]))
        found = [(call.name, call.arguments) for one in read_by_row[number] for call in one.calls]
        assert found == expected, number
        style = row["style"].replace("openai_mcp_call", "openai_responses")
        assert {one.format for one in read_by_row[number]} == {style}, number


def test_recorded_calls_are_judged_good_but_for_those_that_are_wrong() -> None:
    wrong: dict[int, Found] = {}
    judges, without_contract = Judges(), []
    for reply in read("wire_interactions.jsonl"):
        for verdict in judges.verdicts(reply):
            if verdict.faults:
                faults = [(str(fault.fault), fault.pointer) for fault in verdict.faults]
                wrong.setdefault(reply.row, []).extend(faults)
            if not verdict.contract:
                without_contract.append(reply.row)
    assert wrong == WRONG_ON_THE_WIRE
    assert len(without_contract) == 4


def test_the_trajectories() -> None:
    rows = lines_of(CORPUS / "tau_gpt4o_airline.jsonl")
    expected = [
        (number, call["function"]["name"], call["function"]["arguments"], call["id"])
        for number, row in enumerate(rows, start=1)
        for message in row["traj"]
        for call in message.get("tool_calls") or []
    ]
    found, index_by_row = [], dict.fromkeys(range(1, 51), 0)
    judge = Judge(read_tools(json.loads((CORPUS / "tau_airline_tools.json").read_bytes())))
    for reply in read("tau_gpt4o_airline.jsonl"):
        assert reply.format == "messages"
        assert reply.index == index_by_row[reply.row]
        index_by_row[reply.row] += 1
        found += [(reply.row, call.name, call.arguments, call.id) for call in reply.calls]
        assert [verdict.faults for verdict in judge.judge(reply.calls)] == [()] * len(reply.calls)
    assert found == expected
    assert len(found) == 282


# -- the benchmark's accepted answers --------------------------------------------------------------


def test_accepted_answers_are_judged_good_but_for_errors_of_the_data() -> None:
    total, wrong = 0, set()
    for answers in sorted(CORPUS.glob("bfcl_v4_*.answers.quarter.jsonl")):
        questions = answers.with_name(answers.name.replace(".answers", ""))
        functions = {row["id"]: row["function"] for row in lines_of(questions)}
        for row in lines_of(answers):
            judge = Judge(read_tools(functions[row["id"]]))
            calls = [
                Call(None, name, json.dumps(chosen(accepted)))
                for answer in row["ground_truth"]
                for name, accepted in answer.items()
            ]
            total += len(calls)
            for call in calls:
                (verdict,) = judge.judge([call])
                if verdict.faults:
                    wrong.add(row["id"])
    assert total == 766
    assert wrong == WRONG_ANSWERS.keys()

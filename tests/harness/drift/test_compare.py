"""Those calls break that fit the old contract and not the new one, each for the right cause."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from plugin.contract.declared import read_tools
from plugin.contract.names import names
from plugin.contract.openapi import read as read_contract
from plugin.contract.operation import Contract
from plugin.harness.drift.compare import Drift, Drifted, Fate
from plugin.harness.judge import Judge
from plugin.harness.transcript import Reply
from tests.harness.contract_changes import CHANGES, Change, Json, Used, document, harmless, plant
from tests.harness.recordings import COLLECTIONS, SAMPLES, needs_corpus, read, replies

Place = tuple[int, int, int]


@dataclass(frozen=True)
class Recorded:
    """Replies, and a document of the tools that their models were shown."""

    replies: list[Reply]
    document: Json

    @property
    def used(self) -> Used:
        """The calls that fit, and not only by chance of a name."""
        judge = judge_of(self.document)
        return Used(
            [
                (verdict.call.name, verdict.arguments)
                for reply in self.replies
                for verdict in judge.judge_reply(reply)
                if not verdict.faults
            ]
        )


def contract(of: Json) -> Contract:
    return read_contract(json.dumps(of))


def judge_of(of: Json) -> Judge:
    return Judge({name: one.schema for name, one in names(contract(of)).items()})


def recorded(data: bytes, tools: list[Any]) -> Recorded:
    found = [one for one in read(data) if isinstance(one, Reply)]
    return Recorded(found, document(read_tools(tools)))


def golden() -> Recorded:
    """The worked replies of the judge."""
    samples = json.loads((SAMPLES / "judge.json").read_bytes())
    rows = [
        {"choices": [{"message": {"tool_calls": [_entry(call) for call in reply["calls"]]}}]}
        for reply in samples["replies"]
        if reply["calls"]
    ]
    return Recorded(replies(*rows), document(read_tools(samples["tools"])))


def _entry(call: Json) -> Json:
    arguments = call["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": call["name"], "arguments": text}
    return {"id": "call_1", "type": "function", "function": function}


def talks(collection: str) -> Recorded:
    """The conversations of a collection."""
    there = COLLECTIONS[collection]
    return recorded(there.talks.read_bytes(), json.loads(there.tools.read_bytes()))


def wire(collection: str) -> Recorded:
    """The provider replies of a collection."""
    found = read(COLLECTIONS[collection].wire.read_bytes())
    known: dict[str, Any] = {}
    for reply in found:
        for name, schema in read_tools(list(getattr(reply, "tools", None) or ())).items():
            known.setdefault(name, schema)
    return Recorded([one for one in found if isinstance(one, Reply)], document(known))


SOURCES: dict[str, Callable[[], Recorded]] = {
    "golden": golden,
    "wire sample": lambda: wire("samples"),
    "desk sample": lambda: talks("samples"),
    "wire": lambda: wire("collection"),
    "airline": lambda: talks("collection"),
}
EACH = [
    pytest.param(name, marks=needs_corpus if name in ("wire", "airline") else ())
    for name in SOURCES
]


@cache
def source(name: str) -> Recorded:
    return SOURCES[name]()


def broken(old: Json, new: Json, calls: list[Reply]) -> dict[Place, Drifted]:
    drift = Drift(contract(old), contract(new))
    return {
        (one.row, one.reply, one.call): one
        for one in drift.run(calls)
        if isinstance(one, Drifted) and one.fate is Fate.BREAKS
    }


def judged_twice(old: Json, new: Json, calls: list[Reply]) -> dict[Place, list[str]]:
    """The plain way: every call of every reply by both contracts."""
    before, after = judge_of(old), judge_of(new)
    found = {}
    for reply in calls:
        pairs = zip(before.judge_reply(reply), after.judge_reply(reply), strict=True)
        for index, (was, now) in enumerate(pairs):
            if now.faults and not was.faults:
                found[reply.row, reply.index, index] = [fault.message for fault in now.faults]
    return found


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_planted_change_breaks_exactly_what_the_judge_says(change: Change, name: str) -> None:
    there = source(name)
    planted = plant(change, there.document, there.used)
    if planted is None:
        pytest.skip("no call uses what this changes")
    new, words = planted
    found = broken(there.document, new, there.replies)
    expected = judged_twice(there.document, new, there.replies)
    assert {
        place: [fault.message for fault in one.faults] for place, one in found.items()
    } == expected
    assert found
    for one in found.values():
        assert len(one.causes) == 1, one
        assert words in one.causes[0], one


def test_every_change_can_be_planted_somewhere_without_the_collection() -> None:
    unplanted = [
        change.__name__
        for change in CHANGES
        if not any(
            plant(change, source(name).document, source(name).used)
            for name in ("golden", "wire sample", "desk sample")
        )
    ]
    assert unplanted == []
    assert len(CHANGES) >= 20


@pytest.mark.parametrize("name", EACH)
def test_harmless_changes_break_nothing(name: str) -> None:
    there = source(name)
    assert there.used.calls
    for new in harmless(there.document):
        assert broken(there.document, new, there.replies) == {}


@pytest.mark.parametrize("name", EACH)
def test_all_changes_at_once(name: str) -> None:
    """Many changes in one document: still the judge's set, and no call without a cause."""
    there = source(name)
    new = there.document
    for change in CHANGES:
        planted = plant(change, new, there.used) if change.__name__ != "break_operation" else None
        new = planted[0] if planted else new
    found = broken(there.document, new, there.replies)
    assert found.keys() == judged_twice(there.document, new, there.replies).keys()
    assert all(one.causes for one in found.values())

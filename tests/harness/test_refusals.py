"""Mistakes sent to services that refuse them well, badly, or not at all."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.harness.asgi import AsgiService, Message
from plugin.harness.checks import Checks, Limits
from plugin.harness.grading import Refusal
from plugin.harness.judge import Judge
from plugin.harness.mutate import Mutator
from plugin.harness.refusals import Refusals
from plugin.harness.repair import Mode
from plugin.harness.replay import NEEDS_LEAVE, Outcome, Replay, Replayed, Rules
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call

OPERATION = {
    "operationId": "add_note",
    "security": [{"bearer": []}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "text": {"type": "string", "minLength": 1},
                        "stars": {"type": "integer", "maximum": 5},
                        "kind": {"type": "string", "enum": ["idea", "task"]},
                    },
                    "required": ["text"],
                }
            }
        },
    },
    "responses": {"201": {"description": "made"}, "422": {"description": "refused"}},
}
DOCUMENT = json.dumps(
    {
        "openapi": "3.1.0",
        "info": {"title": "Notes", "version": "1"},
        "paths": {"/notes": {"post": OPERATION}},
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }
)
NOTE = Call("call_1", "add_note", '{"text": "Buy milk", "stars": 3, "kind": "idea"}')
OPERATIONS = names(read(DOCUMENT))


@dataclass
class Notes:
    """A service that stores notes, with one manner of meeting mistakes."""

    manner: str = "well"
    stored: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("this application speaks HTTP only")
        body = (await receive())["body"]
        status, answer = self._answer(body)
        head = {"type": "http.response.start", "status": status, "headers": []}
        await send(head)
        await send({"type": "http.response.body", "body": answer.encode()})

    def _answer(self, body: bytes) -> tuple[int, str]:
        judge = Judge({"add_note": OPERATIONS["add_note"].schema})
        (verdict,) = judge.judge([Call(None, "add_note", body.decode())])
        if verdict.faults and self.manner == "raises":
            raise RuntimeError("no idea")
        if verdict.faults and self.manner == "key":
            return 401, "who are you?"
        if not verdict.faults or self.manner in ("careless", "late"):
            self.stored.append(body)
        if not verdict.faults or self.manner == "careless":
            return 201, "{}"
        said = {
            "vague": "no",
            "well": "; ".join(f"{fault.pointer} {fault.message}" for fault in verdict.faults),
        }
        return 422, said.get(self.manner, said["well"])


async def met(
    notes: Notes,
    *calls: Call,
    mutator: Mutator | None = None,
    rules: Rules | None = None,
    watched: bool = True,
) -> list[Replayed]:
    rows: Sequence[Reply | Unreadable] = [Reply(1, 0, "calls", calls or (NOTE,), None)]
    replay = Replay(OPERATIONS, AsgiService(notes).send, Checks(Limits()), rules or Rules())
    state = (lambda: tuple(notes.stored)) if watched else None
    run = Refusals(replay, mutator or Mutator(1, every=True), state)
    found = [event async for event in run.run(rows)]
    assert all(isinstance(event, Replayed) for event in found)
    return [event for event in found if isinstance(event, Replayed)]


def refusals(events: list[Replayed]) -> Counter[str]:
    return Counter(event.grade.refusal for event in events if event.grade)


def effects(events: list[Replayed]) -> set[str]:
    graded = (event.grade for event in events)
    return {grade.side_effect for grade in graded if grade and grade.side_effect}


async def test_a_service_that_refuses_well() -> None:
    notes = Notes()
    events = await met(notes)
    assert len(events) == 14
    assert refusals(events) == {"refused": 12, "not_expressible": 1, "by_harness": 1}
    assert effects(events) == {"none"}
    assert not any(event.is_finding for event in events)
    assert {event.outcome for event in events} == {Outcome.CALL_WAS_WRONG}
    assert all(event.grade and event.mutation for event in events)
    assert [json.loads(body) for body in notes.stored] == [json.loads(NOTE.arguments)]


@pytest.mark.parametrize(
    ("manner", "refusal", "effect", "words"),
    [
        ("careless", "accepted", "changed", "what the service holds has changed"),
        ("late", "refused", "changed", "what the service holds has changed"),
        ("raises", "failed", "none", "the service failed instead"),
        ("vague", "refused", "none", "name the argument or say what was expected"),
    ],
)
async def test_services_that_do_not(manner: str, refusal: str, effect: str, words: str) -> None:
    events = await met(Notes(manner))
    sent = [event for event in events if event.grade and event.grade.side_effect is not None]
    assert len(sent) == 12
    assert refusals(sent) == {refusal: 12}
    assert effects(sent) == {effect}
    assert all(event.is_finding for event in sent)
    assert all(event.grade and words in event.grade.in_words for event in sent)
    broken = {Outcome.SERVICE_BROKE_CONTRACT} if manner == "raises" else {Outcome.CALL_WAS_WRONG}
    assert {event.outcome for event in sent} == broken


async def test_nobody_can_look_into_a_foreign_database() -> None:
    assert effects(await met(Notes("careless"), watched=False)) == {"unknown"}


async def test_a_refused_key_is_no_refusal_of_the_mistake() -> None:
    events = await met(Notes("key"))
    assert refusals(events) == {"not_sent": 12, "not_expressible": 1, "by_harness": 1}
    assert "--key" in events[0].reason


async def test_what_changes_something_needs_leave_over_the_network() -> None:
    notes = Notes()
    events = await met(notes, rules=Rules(networked=True))
    held = [event for event in events if event.grade and event.grade.refusal is Refusal.NOT_SENT]
    assert len(held) == 12
    assert {event.reason for event in held} == {NEEDS_LEAVE}
    assert notes.stored == [], "nor is the good call sent"


async def test_wrong_calls_are_neither_changed_nor_sent() -> None:
    notes = Notes()
    assert await met(notes, Call(None, "add_note", "{}"), Call(None, "gone", "{}")) == []
    assert notes.stored == []


async def test_mistakes_that_repairs_undo_reach_the_service_as_good_calls() -> None:
    notes = Notes()
    events = await met(notes, rules=Rules(repair=Mode.LOSSLESS))
    repaired = [e for e in events if e.grade and e.grade.refusal is Refusal.REPAIRED]
    assert {event.outcome for event in repaired} == {Outcome.REPAIRED}
    assert {event.mutation.mutation for event in repaired if event.mutation} >= {
        *("number_as_string", "near_miss_key", "enum_case", "wrapped")
    }
    assert all(event.repairs for event in repaired)
    assert len(notes.stored) == len(repaired) + 1
    assert {frozenset(json.loads(body)) for body in notes.stored} == {
        frozenset(json.loads(NOTE.arguments))
    }


async def test_rows_that_cannot_be_read_are_passed_on() -> None:
    replay = Replay(OPERATIONS, AsgiService(Notes()).send, Checks(Limits()))
    run = Refusals(replay, Mutator(1))
    row = Unreadable(3, "line 3 is not JSON")
    assert [event async for event in run.run([row])] == [row]


async def test_calls_come_in_their_order_each_after_its_mistakes() -> None:
    other = Call(None, "add_note", '{"text": "Second"}')
    events = await met(Notes(), NOTE, other, mutator=Mutator(1, 2))
    assert [event.call for event in events] == [0, 0, 1, 1]

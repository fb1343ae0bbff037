"""Our own operations against every mistake: refused, nothing changed, told so that it helps."""

import json
from collections import Counter
from typing import Any

import pytest

from plugin.cli.harness.own_service import open_target
from plugin.contract.names import names
from plugin.harness.checks import Checks, Limits
from plugin.harness.grading import Refusal
from plugin.harness.mutate import Mutator
from plugin.harness.refusals import Refusals
from plugin.harness.replay import Replay, Replayed
from plugin.harness.transcript import Reply
from plugin.messages import Call
from plugin.transports.service_under_test import Where
from tests.journeys.running import Settings

CALLS: list[tuple[str, Any]] = [
    ("add_todo", {"text": "Buy milk"}),
    ("add_todo", {"text": "Call the dentist"}),
    ("list_todos", {}),
    ("list_todos", {"status": "open", "limit": 5, "after": 0}),
    ("complete_todo", {"todo_id": 1}),
    ("get_current_weather", {"location": "Boston", "unit": "celsius"}),
    (
        "upsert_documents",
        {
            "documents": [
                {
                    "id": "refunds",
                    "text": "Customers can return goods within 30 days.",
                    "metadata": {"source": "handbook", "created_at": "2026-03-01"},
                },
                {"text": "Another text."},
            ]
        },
    ),
    (
        "query_documents",
        {
            "queries": [
                {"query": "return goods", "filter": {"source": "handbook"}, "top_k": 5},
                {"query": "money"},
            ]
        },
    ),
    ("get_document", {"document_id": "refunds", "start": 3}),
    ("delete_document", {"document_id": "refunds"}),
    ("delete_todo", {"todo_id": 2}),
]
SENT = (Refusal.REFUSED, Refusal.ACCEPTED, Refusal.FAILED)


async def graded(mutator: Mutator) -> list[Replayed]:
    calls = [Call(None, name, json.dumps(arguments)) for name, arguments in CALLS]
    rows = [Reply(row, 0, "calls", (call,), None) for row, call in enumerate(calls, start=1)]
    async with open_target(Where()) as service:
        operations = names(await service.contract())
        assert operations.keys() == {name for name, _ in CALLS}, "each operation is called"
        replay = Replay(operations, service.send, Checks(Limits()))
        events = [event async for event in Refusals(replay, mutator, service.state).run(rows)]
    assert all(isinstance(event, Replayed) for event in events)
    return [event for event in events if isinstance(event, Replayed)]


@pytest.mark.parametrize("how", [{"every": True}, {"count": 40}], ids=["every", "by_rate"])
async def test_every_mistake_is_refused(
    monkeypatch: pytest.MonkeyPatch, weather: Settings, how: dict[str, Any]
) -> None:
    for name, value in weather.items():
        monkeypatch.setenv(name, value)
    events = await graded(Mutator(17, **how))
    sent = [event for event in events if event.grade and event.grade.refusal in SENT]
    assert len(sent) > 40

    let_pass = [
        event for event in sent if event.grade and event.grade.refusal is not Refusal.REFUSED
    ]
    assert let_pass == []
    assert {event.grade.side_effect for event in sent if event.grade} == {"none"}

    wordings = [event.grade.wording for event in sent if event.grade]
    clear = sum(wording is not None and wording.can_be_acted_on for wording in wordings)
    assert clear >= 0.95 * len(sent)

    kinds = Counter(event.grade.refusal for event in events if event.grade)
    assert kinds[Refusal.BY_HARNESS] == len(CALLS)
    assert Refusal.NOT_SENT not in kinds

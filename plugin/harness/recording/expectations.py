"""What a service answered before, written down; and whether it answers so again.

A row carries the call, the answer, and a fingerprint of the contract that the call was made for:

    {"calls": [{"id", "name", "arguments"}],
     "expect": [{"status", "body" | "text", "masks": ["/id", …]}],
     "contract": {"add_todo": {…}}}

`masks` are JSON pointers to what is different each time, such as ids that the service gives; there
only the type is compared. A step `*` stands for every member.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plugin.contract.operation import Operation
from plugin.contract.requests.request import Request
from plugin.harness.checks import Check
from plugin.harness.exchange import Response, Send, Unreachable
from plugin.harness.faults import shown
from plugin.harness.formats.format import mapping, objects
from plugin.harness.json_text import NotJson, canonical, loads
from plugin.harness.judge import decode
from plugin.harness.recording.differences import Masks, differences
from plugin.harness.recording.fingerprints import changes, fingerprint
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.recorded_reply import Body, NotAReply
from plugin.harness.recording.volatile import volatile
from plugin.harness.replay import Outcome, Replayed, is_consequential
from plugin.harness.transcript import Unreadable

_LARGEST = 8_000_000
_SHOWN = 5
"""Differences of one answer that are named."""

Event = Replayed | Unreadable
_Exchange = tuple[Request, Response]


def expected(
    status: int, body: Body | None, arguments: Any, masker: Masker, masks: Iterable[str] = ()
) -> dict[str, Any]:
    """What to expect again; without a `body` (it was too large) the status alone."""
    if body is None:
        return {"status": status, "masks": []}
    try:
        text = body.text(_LARGEST)
    except NotAReply:  # an image: nothing to compare
        return {"status": status, "masks": []}
    try:
        value = loads(text)
    except NotJson:
        return {"status": status, "text": masker.text(text), "masks": []}
    masked = masker.value(value)
    found = [*masks, *volatile(value, arguments), *_places(value, masked)]
    return {"status": status, "body": masked, "masks": list(dict.fromkeys(found))}


class Recording:
    """Writes down what a run was answered. Reads are asked twice: what differs is volatile."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        write: Callable[[dict[str, Any]], None],
        masks: Sequence[str] = (),
    ) -> None:
        self._operations = operations
        self._write = write
        self._masks = tuple(masks)
        self._masker = Masker()

    async def watch(self, run: AsyncIterator[Event], way: "Watched") -> AsyncIterator[Event]:
        """The events of a run, unchanged; each answer is written down."""
        async for event in run:
            exchange = way.taken()
            if exchange is not None and isinstance(event, Replayed) and _counts(event):
                self._write(await self._row(event, exchange, way.resend))
            yield event

    async def _row(self, event: Replayed, exchange: _Exchange, resend: Send) -> dict[str, Any]:
        operation = self._operations[event.name]
        request, response = exchange
        masks = list(self._masks)
        # A harmless write is no read: only what is asked twice without effect is asked twice.
        if operation.method in ("GET", "HEAD") and not is_consequential(operation):
            masks += await _moving(request, response, resend)
        body = Body(response.body, dict(response.headers).get("content-encoding", ""))
        answer = expected(response.status, body, _decoded(event.arguments), self._masker, masks)
        return {
            "calls": [{"id": None, "name": event.name, "arguments": event.arguments}],
            "expect": [answer],
            "contract": {event.name: fingerprint(operation)},
        }


class Expectations:
    """Compares what a run is answered with what was written down."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        rows: Iterable[Any],
        masks: Sequence[str] = (),
    ) -> None:
        self._operations = operations
        self._masks = tuple(masks)
        self._waiting: dict[Any, deque[dict[str, Any]]] = {}
        self._contracts: dict[str, Any] = {}
        for row in map(mapping, rows):
            self._contracts |= mapping(row.get("contract"))
            calls = zip(objects(row.get("calls")), objects(row.get("expect")), strict=False)
            for call, answer in calls:
                key = _key(str(call.get("name")), call.get("arguments"))
                self._waiting.setdefault(key, deque()).append(answer)

    @property
    def left(self) -> int:
        """Answers written down for calls that did not come."""
        return sum(map(len, self._waiting.values()))

    @property
    def known(self) -> int:
        """Operations whose contract was written down; 0 means that it was no such recording."""
        return len(self._contracts)

    async def watch(self, run: AsyncIterator[Event], way: "Watched") -> AsyncIterator[Event]:
        """The events of a run, each answer compared: checks `expectation` and `stale`."""
        async for event in run:
            exchange = way.taken()
            yield self._compared(event, exchange) if isinstance(event, Replayed) else event

    def _compared(self, event: Replayed, exchange: _Exchange | None) -> Replayed:
        check = self._check(event, exchange)
        return event if check is None else _checked(event, check)

    def _check(self, event: Replayed, exchange: _Exchange | None) -> Check | None:
        waiting = self._waiting.get(_key(event.name, event.arguments))
        answer = waiting.popleft() if waiting else None
        if stale := self._stale(event.name):
            return Check("stale", ok=False, message=stale)
        if exchange is None or not _counts(event):
            return None
        if answer is None:
            return Check("stale", ok=False, message=f"no answer was recorded for it; {_AGAIN}")
        message = _differs(answer, exchange[1], self._masks)
        return Check("expectation", ok=not message, message=message)

    def _stale(self, name: str) -> str:
        recorded = self._contracts.get(name)
        if recorded is None:
            return ""
        operation = self._operations.get(name)
        if operation is None:
            return f"the contract has no tool `{name}` any more; {_AGAIN}"
        found = changes(recorded, fingerprint(operation))
        return (
            f"the contract of `{name}` has changed ({'; '.join(found)}); {_AGAIN}" if found else ""
        )


_AGAIN = "the recording is stale: record it again with --record, or restore the contract"


class Watched:
    """The way to a service, and what last went over it."""

    def __init__(self, send: Send) -> None:
        self.resend = send
        self._exchange: _Exchange | None = None

    async def send(self, request: Request) -> Response:
        """Send one request; hand this to the run."""
        response = await self.resend(request)
        self._exchange = (request, response)
        return response

    def taken(self) -> _Exchange | None:
        """The last exchange, once."""
        exchange, self._exchange = self._exchange, None
        return exchange


def _counts(event: Replayed) -> bool:
    """Whether the service answered the call itself, and did not just turn away its key."""
    return event.outcome is not Outcome.NOT_SENT and event.status is not None


def _checked(event: Replayed, check: Check) -> Replayed:
    outcome = event.outcome if check.ok else Outcome.SERVICE_BROKE_CONTRACT
    return replace(event, outcome=outcome, checks=(*event.checks, check))


def _differs(answer: Mapping[str, Any], response: Response, masks: Sequence[str]) -> str:
    """How an answer differs from the one written down, in words; empty where it does not."""
    if answer.get("status") != response.status:
        return f"status: recorded {answer.get('status')}, got {response.status}"
    text = response.body.decode("utf-8", "replace")
    if "text" in answer:
        masked = Masker().text(text)
        if masked == answer["text"]:
            return ""
        return f"body: recorded {shown(answer['text'])}, got {shown(masked)}"
    if "body" not in answer:
        return ""
    try:
        value = loads(text)
    except NotJson as error:
        return f"body: recorded {shown(answer['body'])}, got no JSON ({error})"
    ignored = Masks([*masks, *(str(mask) for mask in answer.get("masks") or ())])
    found = list(differences(answer["body"], value, "", ignored))
    told = [f"{at or 'body'}: recorded {was}, got {now}" for at, was, now in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "; ".join(told + more)


def _places(one: Any, other: Any) -> list[str]:
    return [at for at, _, _ in differences(one, other)]


async def _moving(request: Request, response: Response, send: Send) -> list[str]:
    """What is different when the same is asked at once again."""
    try:
        again = await send(request)
    except Unreachable:
        return []
    try:
        return _places(loads(response.body), loads(again.body))
    except NotJson:
        return []


def _decoded(arguments: Any) -> Any:
    try:
        return decode(arguments)
    except ValueError:
        return arguments


def _key(name: str, arguments: Any) -> Any:
    """What makes two calls the same: name and arguments, however they are written."""
    return name, canonical(_decoded(arguments))

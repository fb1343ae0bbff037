"""Sends each recorded call to a service and says whose fault a failure is: one outcome a call.

Nothing here knows how a request travels (`send`) or how outcomes are shown (`report`).
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from time import perf_counter
from typing import Any

import jsonschema_rs

from plugin.contract.operation import Operation
from plugin.contract.requests import NotExpressible, Request, build
from plugin.harness.checks import Check, Checks
from plugin.harness.exchange import Exchange, Send, Unreachable
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.judge import Judge, Verdict
from plugin.harness.transcript import Reply, Unreadable

_REFUSES_THE_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_REFUSALS = range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)


class Outcome(StrEnum):
    """Whose fault it is."""

    PASSED = "passed"
    SERVICE_BROKE_CONTRACT = "service_broke_contract"
    CALL_WAS_WRONG = "call_was_wrong"
    REPAIRED = "repaired"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one call. `operation` is None where the name is no tool of the contract.

    `reason` says why a call was not sent. `status` and `milliseconds` are None where none was.
    `arguments` are as on the wire, for reports that show them.
    """

    row: int
    reply: int
    call: int
    name: str
    operation: str | None
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    repairs: tuple[str, ...] = ()
    status: int | None = None
    milliseconds: float | None = None
    checks: tuple[Check, ...] = ()
    reason: str = ""
    arguments: Any = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a run may do. `networked` means that calls leave this process."""

    networked: bool = False
    allow_consequential: bool = False


@dataclass(slots=True)
class Replay:
    """One run: the operations by tool name, the way to the service, the checks, the rules."""

    operations: Mapping[str, Operation]
    send: Send
    checks: Checks
    rules: Rules = field(default_factory=Rules)

    async def run(
        self, replies: Iterable[Reply | Unreadable]
    ) -> AsyncIterator[Replayed | Unreadable]:
        """Replay the calls in order, one by one: later ones may need what earlier ones did."""
        judge = Judge({name: operation.schema for name, operation in self.operations.items()})
        for reply in replies:
            if isinstance(reply, Unreadable):
                yield reply
                continue
            for index, verdict in enumerate(judge.judge_reply(reply)):
                yield await self._call(reply, index, verdict)

    async def _call(self, reply: Reply, index: int, verdict: Verdict) -> Replayed:
        at = _Place(reply.row, reply.index, index, verdict)
        operation = self.operations.get(verdict.call.name)
        if operation is None or _is_unreadable(verdict):
            return at.outcome(Outcome.CALL_WAS_WRONG, reason="there is nothing to send")
        if self._needs_leave(operation):
            return at.outcome(
                Outcome.NOT_SENT,
                reason="it is consequential; --allow-consequential sends it over the network",
            )
        try:
            request = build(operation, verdict.arguments)
        except NotExpressible as error:
            outcome = Outcome.CALL_WAS_WRONG if verdict.faults else Outcome.NOT_SENT
            return at.outcome(outcome, reason=f"HTTP cannot carry it: {error}")
        return await self._exchange(at, operation, request)

    def _needs_leave(self, operation: Operation) -> bool:
        return (
            self.rules.networked
            and not self.rules.allow_consequential
            and is_consequential(operation)
        )

    async def _exchange(self, at: "_Place", operation: Operation, request: Request) -> Replayed:
        started = perf_counter()
        try:
            response = await self.send(request)
        except Unreachable as error:
            check = Check("answer", ok=False, message=str(error))
            return at.outcome(Outcome.SERVICE_BROKE_CONTRACT, checks=(check,))
        milliseconds = (perf_counter() - started) * 1000
        if operation.security and response.status in _REFUSES_THE_KEY:
            reason = f"the service refused the key ({response.status}); pass one with --key"
            return at.outcome(Outcome.NOT_SENT, status=response.status, reason=reason)
        checks = self.checks(operation, Exchange(request, response, milliseconds))
        if not at.verdict.faults:
            checks = (*checks, _accepted(operation, at.verdict.arguments, response.status))
        outcome = _blame(at.verdict, response.status, checks)
        return at.outcome(
            outcome, status=response.status, milliseconds=round(milliseconds, 3), checks=checks
        )


@dataclass(frozen=True, slots=True)
class _Place:
    row: int
    reply: int
    call: int
    verdict: Verdict

    def outcome(self, outcome: Outcome, **found: Any) -> Replayed:
        name = self.verdict.call.name
        known = None if _is_unknown(self.verdict) else name
        faults, wire = self.verdict.faults, self.verdict.call.arguments
        place = (self.row, self.reply, self.call)
        return Replayed(*place, name, known, outcome, faults, arguments=wire, **found)


def is_consequential(operation: Operation) -> bool:
    """Whether a call changes something: the document's word, else every method but reading ones."""
    said = operation.extensions.get("x-openai-isConsequential")
    return said if isinstance(said, bool) else operation.method not in ("GET", "HEAD", "OPTIONS")


def _is_unknown(verdict: Verdict) -> bool:
    return any(fault.fault is FaultKind.UNKNOWN_FUNCTION for fault in verdict.faults)


def _is_unreadable(verdict: Verdict) -> bool:
    """Whether a call's arguments are nothing that could be put into a request."""
    return not isinstance(verdict.arguments, dict)


def _accepted(operation: Operation, arguments: Any, status: int) -> Check:
    """A call that fits the contract must not be refused as if it did not.

    The judge takes no `format` as a promise, but a service may: a refusal of one is no breach.
    """
    refused = status == HTTPStatus.UNPROCESSABLE_ENTITY and _formats_fit(operation, arguments)
    message = "the call fits the contract, but the service refused its arguments" if refused else ""
    return Check("accepted", not refused, message)


def _formats_fit(operation: Operation, arguments: Any) -> bool:
    formats = jsonschema_rs.Draft202012Validator(operation.schema, validate_formats=True)
    return formats.is_valid(arguments)


def _blame(verdict: Verdict, status: int, checks: tuple[Check, ...]) -> Outcome:
    """The service's failures come first: they count whatever the call was like.

    But few documents list every way to refuse: a wrong call may be refused with any 4XX.
    """
    refused_wrong = bool(verdict.faults) and status in _REFUSALS
    forgiven = {"status", "content_type"} if refused_wrong else set()
    if any(not check.ok and check.check not in forgiven for check in checks):
        return Outcome.SERVICE_BROKE_CONTRACT
    return Outcome.CALL_WAS_WRONG if verdict.faults else Outcome.PASSED

"""Sends each recorded call to a service and says whose fault a failure is: one outcome a call.

Nothing here knows how a request travels (`send`) or how outcomes are shown (`report`).
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus
from time import perf_counter
from typing import Any

import jsonschema_rs

from plugin.contract.operation import Operation
from plugin.contract.requests.request import NotExpressible, Request, answer_schema, build
from plugin.harness.checks import Check, Checks
from plugin.harness.exchange import Exchange, Response, Send, Unreachable
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.grading import Grade
from plugin.harness.judge import Judge, Verdict, strict_names
from plugin.harness.mutate import Mutation
from plugin.harness.repair import Mode, Repaired, Repairs
from plugin.harness.transcript import Reply, Unreadable

_REFUSALS = range(HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR)
NEEDS_LEAVE = "it is consequential; --allow-consequential sends it over the network"
CANNOT_CARRY = "HTTP cannot carry it"


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
    `arguments` are as on the wire, for reports that show them. `mutation` is the mistake that was
    made in a good call, `grade` how the service met it.
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
    mutation: Mutation | None = None
    grade: Grade | None = None

    @property
    def is_finding(self) -> bool:
        """Whether somebody has something to mend: the service, or whoever wrote the call.

        Where a mistake was made on purpose, a good refusal of it is what was wanted.
        """
        if self.outcome is Outcome.SERVICE_BROKE_CONTRACT:
            return True
        if self.grade is not None:
            return not self.grade.is_good
        return self.outcome is Outcome.CALL_WAS_WRONG


@dataclass(frozen=True, slots=True)
class Rules:
    """What a run may do. `networked` means that calls leave this process.

    `relative_servers` puts the path of a document's relative server (`/api/v1`) before each path.
    """

    networked: bool = False
    allow_consequential: bool = False
    repair: Mode = Mode.OFF
    relative_servers: bool = True


@dataclass
class Replay:
    """One run: the operations by tool name, the way to the service, the checks, the rules."""

    operations: Mapping[str, Operation]
    send: Send
    checks: Checks
    rules: Rules = field(default_factory=Rules)

    @cached_property
    def judge(self) -> Judge:
        """The judge of all the operations' arguments."""
        return Judge({name: operation.schema for name, operation in self.operations.items()})

    @cached_property
    def _repairs(self) -> Repairs:
        return Repairs(self.judge, self.rules.repair)

    async def run(
        self, replies: Iterable[Reply | Unreadable]
    ) -> AsyncIterator[Replayed | Unreadable]:
        """Replay the calls in order, one by one: later ones may need what earlier ones did."""
        for reply in replies:
            if isinstance(reply, Unreadable):
                yield reply
                continue
            for index, verdict in enumerate(self.judge.judge_reply(reply)):
                yield await self.call(self.place(reply, index, verdict))

    def place(self, reply: Reply, index: int, verdict: Verdict) -> "Place":
        """A judged call of a reply, repaired as far as the rules say."""
        repaired = None
        if verdict.faults and self.rules.repair is not Mode.OFF:
            repaired = self._repairs.repair(verdict, strict=strict_names(reply.tools))
        return Place(reply.row, reply.index, index, verdict, repaired)

    async def call(self, at: "Place") -> Replayed:
        """Replay one call."""
        operation = self.operations.get(at.name)
        if operation is None or not isinstance(at.arguments, dict):
            return at.outcome(Outcome.CALL_WAS_WRONG, reason="there is nothing to send")
        unsent = Outcome.CALL_WAS_WRONG if at.is_wrong else Outcome.NOT_SENT
        if self.needs_leave(operation):
            return at.outcome(unsent, reason=NEEDS_LEAVE)
        try:
            request = build(operation, at.arguments)
        except NotExpressible as error:
            return at.outcome(unsent, reason=f"{CANNOT_CARRY}: {error}")
        return (await self.exchange(at, operation, request))[0]

    def needs_leave(self, operation: Operation) -> bool:
        """Whether nobody has allowed to send this over a network."""
        return (
            self.rules.networked
            and not self.rules.allow_consequential
            and is_consequential(operation)
        )

    async def exchange(
        self, at: "Place", operation: Operation, request: Request
    ) -> tuple[Replayed, Response | None]:
        """Send one request: what became of the call, and what was answered, if anything was."""
        if self.rules.relative_servers and (prefix := server_path(operation)):
            request = replace(request, path=prefix + request.path)
        started = perf_counter()
        try:
            response = await self.send(request)
        except Unreachable as error:
            check = Check("answer", ok=False, message=str(error))
            return at.outcome(Outcome.SERVICE_BROKE_CONTRACT, checks=(check,)), None
        milliseconds = (perf_counter() - started) * 1000
        if operation.security and _refuses_the_key(operation, response):
            reason = f"the service refused the key ({response.status}); pass another with --key"
            return at.outcome(Outcome.NOT_SENT, status=response.status, reason=reason), None
        checks = self.checks(operation, Exchange(request, response, milliseconds))
        if not at.is_wrong:
            checks = (*checks, _accepted(operation, at.arguments, response.status))
        outcome = _blame(at, response.status, checks)
        took = round(milliseconds, 3)
        replayed = at.outcome(outcome, status=response.status, milliseconds=took, checks=checks)
        return replayed, response


@dataclass(frozen=True, slots=True)
class Place:
    """A judged call in its transcript, and what repairs made of it, if they could."""

    row: int
    reply: int
    call: int
    verdict: Verdict
    repaired: Repaired | None = None

    @property
    def name(self) -> str:
        """The name that was called."""
        return self.verdict.call.name

    @property
    def arguments(self) -> Any:
        """The arguments to send."""
        return self.verdict.arguments if self.repaired is None else self.repaired.arguments

    @property
    def is_wrong(self) -> bool:
        """Whether the call, as it is sent, does not fit its contract."""
        return bool(self.verdict.faults) and self.repaired is None

    def outcome(self, outcome: Outcome, **found: Any) -> Replayed:
        """What became of it."""
        known = None if _is_unknown(self.verdict) else self.name
        if self.repaired is not None:
            found["repairs"] = self.repaired.repairs
        faults, wire = self.verdict.faults, self.verdict.call.arguments
        place = (self.row, self.reply, self.call)
        return Replayed(*place, self.name, known, outcome, faults, arguments=wire, **found)


def server_path(operation: Operation) -> str:
    """The path of the operation's server, where that is relative to wherever the service is."""
    server = operation.servers[0] if operation.servers else ""
    return server.rstrip("/") if server.startswith("/") and not server.startswith("//") else ""


def _refuses_the_key(operation: Operation, response: Response) -> bool:
    """A 403 that is declared may be the operation's own answer, unless it speaks of the key."""
    if response.status != HTTPStatus.FORBIDDEN:
        return response.status == HTTPStatus.UNAUTHORIZED
    challenged = any(name == "www-authenticate" for name, _ in response.headers)
    declared = answer_schema(operation, response.status, response.media_type)
    return challenged or declared.missing == "status"


def is_consequential(operation: Operation) -> bool:
    """Whether a call changes something: the document's word, else every method but reading ones."""
    said = operation.extensions.get("x-openai-isConsequential")
    return said if isinstance(said, bool) else operation.method not in ("GET", "HEAD", "OPTIONS")


def _is_unknown(verdict: Verdict) -> bool:
    return any(fault.fault is FaultKind.UNKNOWN_FUNCTION for fault in verdict.faults)


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


def _blame(at: Place, status: int, checks: tuple[Check, ...]) -> Outcome:
    """The service's failures come first: they count whatever the call was like.

    But few documents list every way to refuse: a wrong call may be refused with any 4XX.
    """
    forgiven = {"status", "content_type"} if at.is_wrong and status in _REFUSALS else set()
    if any(not check.ok and check.check not in forgiven for check in checks):
        return Outcome.SERVICE_BROKE_CONTRACT
    if at.is_wrong:
        return Outcome.CALL_WAS_WRONG
    return Outcome.PASSED if at.repaired is None else Outcome.REPAIRED

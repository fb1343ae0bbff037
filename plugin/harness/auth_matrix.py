"""Each operation against each credential that must not open it, and against the one that must.

What is looked at: the status, the challenge (`WWW-Authenticate`), whether a model could read the
answer, that it repeats no credential, and that nothing was stored.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from plugin.contract.operation import Contract, Operation
from plugin.contract.requests.request import NotExpressible, Request, build
from plugin.harness.checks import Check
from plugin.harness.credentials import BEARER, REFUSED, Credential, Place, places
from plugin.harness.exchange import Response, Send, Unreachable
from plugin.harness.replay import is_consequential
from plugin.harness.sample_call import sample

VALID = "valid"
AT_ONCE = "duplicate_parallel"
_SHORTEST_SECRET = 8
_SERVER_ERRORS = range(500, 600)


class Outcome(StrEnum):
    """How one meeting of operation and credential ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SENT = "not_sent"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Tried:
    """One meeting. `statuses` has several where a call was sent several times at once."""

    operation: str
    case: str
    outcome: Outcome
    expected: tuple[int, ...] = ()
    statuses: tuple[int, ...] = ()
    checks: tuple[Check, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class AuthMatrix:
    """One run.

    `credentials` gives for an operation those that must be refused, `keys` those that must not be,
    by case. `state` tells what the operations have stored, where one can look; `arguments` are
    those of good calls by operation. Nothing that changes something is sent without `may_change`.
    """

    contract: Contract
    operations: Mapping[str, Operation]
    send: Send
    credentials: Callable[[Operation], Sequence[Credential]]
    keys: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    state: Callable[[], object] | None = None
    may_change: bool = True

    async def run(self) -> AsyncIterator[Tried]:
        """Every operation: first what must be refused, then what must not, then twice at once."""
        # A document that says nothing of keys while we were given one keeps that to its manifest.
        unsaid = bool(self.keys) and not any(one.security for one in self.operations.values())
        for name, operation in self.operations.items():
            found = (BEARER,) if unsaid else places(self.contract, operation)
            if not found:
                reason = "its contract asks for no credential"
                yield Tried(name, "open", Outcome.OPEN, reason=reason)
                continue
            async for tried in self._operation(name, operation, found):
                yield tried

    async def _operation(
        self, name: str, operation: Operation, found: tuple[Place, ...]
    ) -> AsyncIterator[Tried]:
        try:
            request = build(operation, self.arguments.get(name) or sample(operation.schema))
        except NotExpressible as error:
            yield Tried(name, "all", Outcome.NOT_SENT, reason=f"no call could be made: {error}")
            return
        if is_consequential(operation) and not self.may_change:
            reason = "it is consequential; --allow-consequential sends it over the network"
            yield Tried(name, "all", Outcome.NOT_SENT, reason=reason)
            return
        for credential in self.credentials(operation):
            yield await self._refused(name, credential, _placed(request, found, credential.text))
        for case, key in self.keys.items():
            yield await self._let_in(name, operation, case, _placed(request, found, key))
        if VALID in self.keys and operation.method not in ("GET", "HEAD"):
            allowed = _placed(request, found, self.keys[VALID])
            yield await self._let_in(name, operation, AT_ONCE, allowed, times=2)

    async def _refused(self, name: str, credential: Credential, request: Request) -> Tried:
        before = self.state() if self.state else None
        try:
            response = await self.send(request)
        except Unreachable as error:
            return _unanswered(name, credential.case, credential.expected, error)
        after = self.state() if self.state else None
        checks = [*_checks(credential, response)]
        if self.state:
            changed = (
                "something was stored although the call was refused" if after != before else ""
            )
            checks.append(_check("no_effect", changed))
        outcome = Outcome.PASSED if all(check.ok for check in checks) else Outcome.FAILED
        return Tried(
            *(name, credential.case, outcome, credential.expected),
            *((response.status,), tuple(checks)),
        )

    async def _let_in(
        self, name: str, operation: Operation, case: str, request: Request, times: int = 1
    ) -> Tried:
        """A call that must not be refused for its key; `times` of them at once."""
        try:
            responses = await asyncio.gather(*(self.send(request) for _ in range(times)))
        except Unreachable as error:
            return _unanswered(name, case, (), error)
        statuses = tuple(response.status for response in responses)
        declared = {answer.status for answer in operation.answers}
        refused = next((one for one in statuses if one in REFUSED), None)
        failed = next((one for one in statuses if _is_crash(one, declared)), None)
        checks = (
            _check("let_in", f"a valid key was refused ({refused})" if refused else ""),
            _check("status", f"{_named(failed)}: the service failed" if failed else ""),
        )
        outcome = Outcome.PASSED if all(check.ok for check in checks) else Outcome.FAILED
        return Tried(name, case, outcome, (), statuses, checks)


def _placed(request: Request, found: tuple[Place, ...], credential: str | None) -> Request:
    if credential is not None:
        for place in found:
            request = place.put(request, credential)
    return request


def _checks(credential: Credential, response: Response) -> Iterator[Check]:
    status = response.status
    wanted = " or ".join(map(str, credential.expected))
    wrong = "" if status in credential.expected else f"{_named(status)}; expected {wanted}"
    yield _check("status", wrong)
    if status not in REFUSED:
        return
    challenge = next((value for key, value in response.headers if key == "www-authenticate"), "")
    yield _check("challenge", "" if challenge.strip() else "there is no WWW-Authenticate header")
    yield _check("readable", _unreadable(response))
    secret = credential.text or ""
    shown = secret.encode() in response.body or secret in challenge
    repeated = len(secret) >= _SHORTEST_SECRET and shown
    yield _check("no_secret", "the answer repeats the credential" if repeated else "")


def _unreadable(response: Response) -> str:
    """Why a model could not read an error; empty where it can."""
    start = response.body[:200].lstrip().lower()
    if "html" in response.media_type or start.startswith((b"<!doctype html", b"<html")):
        return "the error is an HTML page; a model needs JSON or plain text"
    if not response.body.strip(b" \r\n{}[]\"'") or start == b"null":
        return "the error says nothing; say what was wrong and what to do"
    return ""


def _check(name: str, message: str) -> Check:
    return Check(name, not message, message)


def _unanswered(name: str, case: str, expected: tuple[int, ...], error: Unreachable) -> Tried:
    check = Check("answer", ok=False, message=str(error))
    return Tried(name, case, Outcome.FAILED, expected, (), (check,))


def _is_crash(status: int, declared: set[str]) -> bool:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    return status in _SERVER_ERRORS and str(status) not in declared


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"

"""Calls with the header Idempotency-Key: carried out once, answered as often as they are sent.

The answer is held back until it is stored; that of a stream goes out as it comes, but for its end.
Operations run to their end when the caller leaves, as he will ask for the answer again. Whoever
leaves an engine stops it, which changes nothing, and his key is free.
"""

import re
from collections.abc import Iterable
from functools import partial
from hashlib import sha256

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plugin.api.direct_route import LARGE
from plugin.api.doors import Door
from plugin.api.errors.handlers import problem
from plugin.api.leaving import while_there
from plugin.api.middleware import SECRET, Exchange
from plugin.api.route_table import Entry
from plugin.api.spooled_body import SpooledBody
from plugin.errors import LimitReached, NoSpace, QuotaUsedUp
from plugin.gate.admission import REPLAYED
from plugin.idempotency.errors import AnswerNotKept, InvalidKey, KeyBusy, KeyInUse
from plugin.idempotency.keys import Claim, Idempotency
from plugin.idempotency.store import LARGEST_ANSWER, Answer, Name

_HEADER = b"idempotency-key"
_KEY = re.compile(rb"[ -~]{1,255}")
_MARK = (b"idempotency-replayed", b"true")
_IN_VAIN = (b"x-should-retry", b"false")
_FAILED = 500
_ASK_AGAIN = frozenset({429, 503})
_OF_THE_MOMENT = re.compile(
    rb"date|server|connection|transfer-encoding|x-request-id|openai-processing-ms"
    rb"|retry-after(-ms)?|(x-)?ratelimit.*"
)
# An old SDK asks these without end when it reads 409.
NEVER_CONFLICT = ("/edits", "/embeddings")


def app_of(entry: Entry, scope: Scope) -> ASGIApp:
    """What answers a request for `entry`; a POST with a key is answered once."""
    if scope["method"] == "POST" and entry.access is not None:
        for name, _ in scope["headers"]:
            if name == _HEADER:
                return partial(_once, entry)
    return entry.app


async def _once(entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with a key by `entry`, or as an equal one was answered.

    Raises the errors of `plugin.idempotency.errors`, and what must not be kept.
    """
    services = scope["app"].state.services
    keys: Idempotency = services.idempotency
    name = Name(scope["plugin.caller"].id, _key(scope["headers"]))
    with SpooledBody(scope, services.pools.files, keys.spool) as body:
        if scope["plugin.exchange"].announced > LARGE:
            async with services.pools.bodies.turn():
                await body.read(receive)
        else:
            await body.read(receive)
        found = await _claim(keys, name, body, scope)
        if isinstance(found, Answer):
            await _replay(found, scope, send)
            return
        try:
            await _Answering(found, scope, send).run(entry, body)
        finally:
            found.free()


def _key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    first, *more = [value for name, value in headers if name == _HEADER]
    if more or not _KEY.fullmatch(first):
        raise InvalidKey
    if SECRET.search(first):
        # a secret in the wrong header must not be stored; equal keys stay equal
        return f"sha256:{sha256(first).hexdigest()}"
    return first.decode()


async def _claim(keys: Idempotency, name: Name, body: SpooledBody, scope: Scope) -> Claim | Answer:
    try:
        return await while_there(body.rest, keys.claim(name, body.fingerprint()))
    except KeyInUse:
        door: Door = scope["plugin.exchange"].door
        if door.serves_models and scope["path"].endswith(NEVER_CONFLICT):
            raise KeyBusy from None
        raise


async def _replay(answer: Answer, scope: Scope, send: Send) -> None:
    if answer.body is None:
        raise AnswerNotKept(answer.status)
    exchange: Exchange = scope["plugin.exchange"]
    exchange.record.ended = REPLAYED
    headers = [*answer.headers, _MARK]
    if answer.status >= _FAILED and _IN_VAIN not in headers:
        headers.append(_IN_VAIN)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


class _Answering:
    """One call that is carried out: its answer on the way to the caller and into the store."""

    def __init__(self, claim: Claim, scope: Scope, send: Send) -> None:
        self._claim = claim
        self._scope = scope
        self._send = send
        self._exchange: Exchange = scope["plugin.exchange"]
        self._of_models = self._exchange.door.serves_models
        self._start: Message | None = None
        self._held: list[Message] = []
        self._holds = True
        self._pieces: list[bytes] = []
        self._size = 0

    async def run(self, entry: Entry, body: SpooledBody) -> None:
        """Carry the call out, with what it raises as its answer."""
        receive = body.again if self._of_models else body.again_and_stay
        try:
            await entry.app(self._scope, receive, self._take)
        except (ClientDisconnect, LimitReached, QuotaUsedUp, NoSpace):
            raise  # nothing was done, or nothing that changes anything; never kept
        except Exception as error:
            if self._exchange.status is not None:
                raise
            self._forget()
            answer = problem(error, entry.route, self._exchange.request_id)
            self._exchange.failed(answer)
            await self._exchange.door.refuse(self._take, answer, self._exchange.request_id)

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = {**message}  # as it is here: layers further out add to it
            names = {name.lower() for name, _ in message.get("headers", ())}
            self._holds = b"content-length" in names
        elif message["type"] == "http.response.body":
            self._collect(message.get("body", b""))
            if not message.get("more_body", False):
                await self._keep()
                self._holds = False
        self._held.append(message)
        if not self._holds:
            await self._pass_on()

    def _collect(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= LARGEST_ANSWER:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
            self._holds = False

    async def _keep(self) -> None:
        """Store the answer, if it is one that shall be given again.

        A failure with `Retry-After` is not: the key is free for the retry.
        Below /v1 one that is too large is forgotten, as asking again changes nothing; that of an
        operation is remembered without its body.
        """
        assert self._start is not None  # noqa: S101 - ASGI has a start before a body
        status = self._start["status"]
        if status >= _FAILED and self._says_when_to_retry():
            return
        too_large = self._size > LARGEST_ANSWER
        if self._of_models and (
            too_large or status in _ASK_AGAIN or self._exchange.record.ended is not None
        ):
            return
        headers = tuple(
            (name.lower(), value)
            for name, value in self._start.get("headers", ())
            if not _OF_THE_MOMENT.fullmatch(name.lower())
        )
        body = None if too_large else b"".join(self._pieces)
        await self._claim.keep(Answer(status, headers, body))

    def _says_when_to_retry(self) -> bool:
        assert self._start is not None  # noqa: S101 - as in `_keep`
        return any(name.lower() == b"retry-after" for name, _ in self._start.get("headers", ()))

    async def _pass_on(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await self._send(message)

    def _forget(self) -> None:
        """An answer was begun and not sent; an error takes its place."""
        self._start, self._held, self._pieces, self._size = None, [], [], 0
        self._holds = True

"""Any OpenAI-compatible address as an engine: asked, asked again when that helps, and passed on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from plugin.engines import upstream_errors
from plugin.engines.engine import JSON, Ask, Events, Whole
from plugin.engines.fair_queue import FairQueue, LocalPlaces, Place
from plugin.engines.retries import MOST_PATIENT, RetryBudget, Waits
from plugin.engines.upstream_answer import Edited, finished, unpacked, whole, written_tokens
from plugin.engines.upstream_errors import CallFailed
from plugin.engines.upstream_request import Sending, guessed_tokens, prepare
from plugin.engines.upstream_stream import Begun, Watch, passed_on
from plugin.engines.upstream_words import Said, said
from plugin.errors import SourceUnavailable, UpstreamRefused
from plugin.messages import AnsweredBy, Usage
from plugin.outbound.breaker import Breaker
from plugin.outbound.client import GuardedClient, Pace, Streamed
from plugin.trail import carried, happened

log = logging.getLogger(__name__)

_SUCCESS = range(200, 300)
_NOT_UNDERSTOOD = frozenset({400, 422})
_LARGEST_REFUSAL, _LONGEST_REFUSAL = 65_536, 5.0
"""Bytes and seconds of a refusal that are waited for; its status is known without them."""

_IN_ONE_PIECE = (JSON, "text/html", "application/problem+json")

_EVENTS, _WHOLE = (b"accept", b"text/event-stream"), (b"accept", JSON.encode())


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream is and how it is treated; times in seconds.

    `timeout` is for the whole of an answer, or between two pieces of a stream. At most
    `concurrency` requests are with it at a time.
    """

    name: str
    base_url: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 120.0
    retries: int = 2
    concurrency: int = 1_000


class Upstream:
    """One address. Of a caller it learns the request alone: no header, no key, no cookie."""

    def __init__(
        self,
        address: Address,
        client: GuardedClient,
        clock: Callable[[], float],
        waits: Waits | None = None,
    ) -> None:
        self.name = address.name
        self.breaker = Breaker(clock, changed=self._breaker_changed)
        self._address = address
        self._client = client
        self._waits = waits or Waits()
        self._budget = RetryBudget()
        self._queue = FairQueue(LocalPlaces(address.concurrency, share=1))
        self._path = urlsplit(address.base_url).path.rstrip("/")
        self._headers = _headers(address.key)
        self._whole_pace = Pace(address.timeout, address.timeout)
        self._events_pace = Pace(address.timeout)
        self._counts_streams = True
        self._took_counting = False

    def _breaker_changed(self, rest: float) -> None:
        if rest:
            log.warning("upstream %s keeps failing; no calls go to it for %.0f s", self.name, rest)
        else:
            log.warning("upstream %s answers again", self.name)

    async def answer(self, ask: Ask) -> Whole | Events:
        """Carry out a request."""
        try:
            return await self.attempt(ask, MOST_PATIENT)
        except CallFailed as failed:
            raise failed.error from failed

    async def attempt(self, ask: Ask, longest_wait: float) -> Whole | Events:
        """Carry out a request, with retries that are at most `longest_wait` seconds away each.

        Raises `CallFailed` where another address might do better.
        """
        self._budget.called()
        if self.breaker.wait > 0:  # before any work is done for it
            failed = upstream_errors.resting(self.name, self.breaker.wait)
            self._tell(failed, None)
            raise failed
        sending = prepare(ask, count=self._counts_streams)
        retry = 0
        while True:
            try:
                return await self._once(ask, sending)
            except CallFailed as failed:
                wait = self._waits.before(retry, failed.after)
                # a retry that would be turned away helps nobody
                worthwhile = self._worthwhile(failed, retry) and self.breaker.wait <= wait
                again = worthwhile and wait <= longest_wait and self._budget.take()
                self._tell(failed, wait if again else None)
                if not again:
                    raise
            except UpstreamRefused as refused:
                if not self._may_be_about_counting(refused, sending):
                    raise
                answer = await self._once(ask, prepare(ask, count=False))
                self._counts_streams = False
                return answer
            retry += 1
            await self._waits.sleep(wait)

    def _tell(self, failed: CallFailed, wait: float | None) -> None:
        """Leave word of a try that failed, and whether there is another one here."""
        happened(
            "upstream left alone" if failed.resting else "upstream failed",
            upstream=self.name,
            status=failed.status,
            breaker=self.breaker.state,
            again_after_ms=None if wait is None else round(wait * 1000),
        )

    def _worthwhile(self, failed: CallFailed, retry: int) -> bool:
        return failed.again and retry < self._address.retries

    def _may_be_about_counting(self, refused: UpstreamRefused, sending: Sending) -> bool:
        """Whether an upstream may refuse the one thing that we added.

        It says so, or it has never taken it yet: then one try without it tells.
        """
        if not sending.adds_usage or refused.answered[0] not in _NOT_UNDERSTOOD:
            return False
        return not self._took_counting or "stream_options" in f"{refused.param} {refused.detail}"

    async def _once(self, ask: Ask, sending: Sending) -> Whole | Events:
        place = self._queue.place(ask.caller)
        if ask.stream:
            return await self._events(ask, sending, place)
        async with place:
            return await self._whole(ask, sending)

    def _watch(self) -> Watch:
        """Raises `CallFailed` while the address is not asked."""
        ticket = self.breaker.enter()
        if ticket is None:
            raise upstream_errors.resting(self.name, self.breaker.wait)
        return Watch(self.name, self.breaker, ticket)

    async def _whole(self, ask: Ask, sending: Sending) -> Whole:
        usage = Usage()
        watch = self._watch()
        with watch.over():
            async with self._open(ask, sending) as answer:
                await self._check(answer, watch)
                body = await whole(self._pieces(answer), self.name)
            body = finished(body, ask, usage, self.name)
        _estimate(ask, body, usage)
        watch.succeeded()
        return Whole(body, usage, self._answered_by(ask))

    async def _events(self, ask: Ask, sending: Sending, place: Place) -> Events:
        usage = Usage()
        edited = Edited(ask, usage, self.name, drops_usage=sending.adds_usage)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(place)
            watch = self._watch()
            with watch.over():
                answer = await stack.enter_async_context(self._open(ask, sending))
                await self._check(answer, watch)
                kind = _header(answer, b"content-type").lower()
                if kind.startswith(_IN_ONE_PIECE):
                    raise _in_one_piece(self.name, kind, await self._said(answer))
            stack.callback(_count_the_rest, ask, edited, usage)
            begun = Begun(passed_on(self._pieces(answer), edited, stack.pop_all(), watch), edited)
        await begun.wait()
        self._took_counting = self._took_counting or sending.adds_usage
        return Events(begun, self._answered_by(ask), usage)

    async def _check(self, answer: Streamed, watch: Watch) -> None:
        """Raises what the upstream said instead of an answer."""
        watch.answering = True
        if answer.status not in _SUCCESS:
            raise await self._refusal(answer)

    def _open(self, ask: Ask, sending: Sending) -> AbstractAsyncContextManager[Streamed]:
        stream = ask.stream
        kind = sending.content_type.encode("latin-1", "replace")
        return self._client.stream(
            "POST",
            self._address.base_url,
            f"{self._path}/{ask.path}",
            headers=(
                *self._headers,
                *carried(),
                _EVENTS if stream else _WHOLE,
                (b"content-type", kind),
            ),
            body=sending.body,
            pace=self._events_pace if stream else self._whole_pace,
        )

    def _pieces(self, answer: Streamed) -> AsyncIterator[bytes]:
        packed = _header(answer, b"content-encoding").lower()
        return unpacked(answer.pieces, packed, self.name) if packed else answer.pieces

    async def _refusal(self, answer: Streamed) -> Exception:
        headers = {
            name.decode("latin-1").lower(): text.decode("latin-1") for name, text in answer.headers
        }
        return upstream_errors.refusal(self.name, answer.status, headers, await self._said(answer))

    async def _said(self, answer: Streamed) -> Said:
        """What stands in a body that is no result, as far as it comes soon."""
        body = bytearray()
        with suppress(SourceUnavailable, CallFailed, TimeoutError):
            async with asyncio.timeout(_LONGEST_REFUSAL):
                async for piece in self._pieces(answer):
                    body += piece
                    if len(body) > _LARGEST_REFUSAL:
                        break
        return said(bytes(body), self._address.key)

    def _answered_by(self, ask: Ask) -> AnsweredBy:
        return AnsweredBy(ask.model, self.name)


def _count_the_rest(ask: Ask, edited: Edited, usage: Usage) -> None:
    """The end of a stream whose upstream did not get to say what it took."""
    if edited.counts_itself:
        usage.prompt_tokens = usage.prompt_tokens or guessed_tokens(ask.body)
        happened("tokens estimated", of="what was passed on; the prompt by its length")


def _headers(key: str | None) -> tuple[tuple[bytes, bytes], ...]:
    ours = ((b"user-agent", b"gpt-plugin"), (b"accept-encoding", b"identity"))
    return ours if key is None else (*ours, (b"authorization", b"Bearer " + key.encode()))


def _header(answer: Streamed, wanted: bytes) -> str:
    found = (text for name, text in answer.headers if name.lower() == wanted)
    return next(found, b"").decode("latin-1").strip()


def _in_one_piece(name: str, content_type: str, told: Said) -> CallFailed:
    """No event stream, though one was asked for: an error in its place, a page, or an answer."""
    if told.is_known and told.in_words:
        return upstream_errors.told_in_passing(name, told)
    if not content_type.startswith(JSON):
        return upstream_errors.no_events(name, told)
    text = f"The upstream {name} answers in one piece where a stream was asked for."
    return CallFailed(UpstreamRefused(f"{text} Ask without `stream`.", status=502))


def _estimate(ask: Ask, body: bytes, usage: Usage) -> None:
    """Count here what an upstream does not count: limits and budgets hold for it as well."""
    if usage.prompt_tokens or usage.completion_tokens or ask.path == "moderations":
        return
    usage.prompt_tokens = guessed_tokens(ask.body)
    usage.completion_tokens = written_tokens(body)
    happened("tokens estimated", of="prompt and answer, by their length")

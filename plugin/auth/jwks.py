"""The keys that an issuer publishes (RFC 7517): fetched in the background, kept while they may be.

One task an issuer does all the fetching, so there is never more than one fetch under way. Requests
read what is held; one that needs a key that is not held may ask for a fetch, now and then.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from plugin.auth.shared_keys import Answer, SharedKeys
from plugin.auth.signatures import SigningKey, UnfitKey, read_jwk
from plugin.auth.strict_json import NotStrict, read_object
from plugin.errors import SourceUnavailable
from plugin.outbound.client import Fetched

log = logging.getLogger(__name__)

_MOST_KEYS = 100
_OK = 200
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})\b", re.IGNORECASE)
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. Keys are fetched anew after the `max-age` of the answer, kept within bounds.

    `stale` is how long they stay in force beyond that while the issuer cannot be reached, which is
    tried every `retry`; `cooldown` is how often an unknown key may cause a fetch, `patience` how
    long its request waits.
    """

    usual: float = 300.0
    shortest: float = 10.0
    longest: float = 900.0
    stale: float = 3_600.0
    retry: float = 5.0
    cooldown: float = 5.0
    patience: float = 3.0


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of an issuer that can check its algorithm, those with an id by their id."""

    named: dict[str, SigningKey]
    unnamed: tuple[SigningKey, ...] = ()

    def find(self, key_id: str | None) -> SigningKey | None:
        """The key of that id; for a token that names none, the only one there is."""
        if key_id is not None:
            return self.named.get(key_id)
        everyone = (*self.named.values(), *self.unnamed)
        return everyone[0] if len(everyone) == 1 else None


class Jwks:
    """The published keys of one issuer; `fetch` gets the document, and `issuer` names it in logs.

    `clock` is monotonic. Nothing is held before the first answer. With `shared`, what one worker
    fetches holds for all of them at once: a key that was withdrawn is gone everywhere, and few
    fetches serve many workers.
    """

    def __init__(
        self,
        issuer: str,
        algorithm: str,
        fetch: Callable[[], Awaitable[Fetched]],
        clock: Callable[[], float],
        pace: Pace | None = None,
        shared: SharedKeys | None = None,
    ) -> None:
        self._issuer = issuer
        self._algorithm = algorithm
        self._fetch = fetch
        self._clock = clock
        self._pace = pace or Pace()
        self._shared = shared
        self._keys = KeySet({})
        self._held_since = self._due = self._until = -float("inf")
        self._asked_at = -float("inf")
        self._failing = False
        self._wanted = asyncio.Event()
        self._round = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch now, and again whenever the keys get old."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop fetching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def find(self, key_id: str | None) -> SigningKey | None:
        """The key of that id, while what is held is in force."""
        if self._shared is not None:
            self._adopt(self._shared)
        return self._keys.find(key_id) if self._clock() < self._until else None

    def ask(self) -> Callable[[], Awaitable[None]] | None:
        """Ask for a fetch; what to wait for, or None when the last one asked for is too recent."""
        if self._round.is_set():
            now = self._clock()
            if now - self._asked_at < self._pace.cooldown:
                return None
            self._asked_at = now
            self._round = asyncio.Event()
            self._wanted.set()
        settled = self._round

        async def wait() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.patience):
                    await settled.wait()

        return wait

    async def refresh(self) -> float:
        """Fetch the keys once; returns after how many seconds to do so again.

        When they cannot be had, those held stay in force for as long as they may.
        """
        asked = self._clock()
        try:
            fetched = await self._fetch()
            if fetched.status != _OK:
                raise SourceUnavailable(f"the answer has the status {fetched.status}, not 200")
            keys = _read(fetched.body, self._issuer, self._algorithm)
        except (SourceUnavailable, NotStrict) as error:
            self._fail(error)
            return self._pace.retry
        if keys == KeySet({}):
            log.warning("%s publishes no key for %s", self._issuer, self._algorithm)
        answer = Answer(asked, self._age(fetched.headers.get("cache-control", "")), fetched.body)
        if self._shared is not None:
            self._adopt(self._shared)  # another worker may have asked later, and was answered first
        if asked >= self._held_since:
            self._hold(keys, answer)
            self._share(answer)
        self._failing = False
        return answer.age

    def _hold(self, keys: KeySet, answer: Answer) -> None:
        self._keys, self._held_since = keys, answer.asked
        self._due = answer.asked + answer.age
        self._until = self._due + self._pace.stale

    def _adopt(self, shared: SharedKeys) -> None:
        """Go by what another worker fetched, if it asked later than this one."""
        answer = shared.changed()
        if answer is None or not self._held_since < answer.asked <= self._clock():
            return
        with suppress(NotStrict):
            keys = _read(answer.body, self._issuer, self._algorithm)
            self._hold(keys, answer)

    def _share(self, answer: Answer) -> None:
        if self._shared is None:
            return
        try:
            self._shared.write(answer)
        except OSError as error:
            log.warning(
                "the keys of %s cannot be shared with other workers, which fetch them themselves:"
                " %s",
                self._issuer,
                error.strerror,
            )

    def _age(self, cache_control: str) -> float:
        if _UNCACHED.search(cache_control):
            return self._pace.shortest
        found = _MAX_AGE.search(cache_control)
        told = float(found[1]) if found else self._pace.usual
        return min(max(told, self._pace.shortest), self._pace.longest)

    def _fail(self, error: Exception) -> None:
        if not self._failing:  # once is enough in the log
            log.warning("the keys of %s cannot be fetched: %s", self._issuer, error)
        self._failing = True

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            if self._round.is_set():
                self._round = asyncio.Event()
            pause = self._pace.retry
            try:
                pause = await self.refresh()
            except Exception:
                # A task that died here would leave an issuer without keys until the next start.
                log.exception("fetching the keys of %s failed", self._issuer)
            finally:
                self._round.set()
            await self._rest(pause)

    async def _rest(self, pause: float) -> None:
        """Wait until someone asks, or it is time; later if another worker fetches meanwhile."""
        while pause > 0 and not self._wanted.is_set():
            held_since = self._held_since
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
            if self._shared is not None:
                self._adopt(self._shared)
            pause = 0 if self._held_since == held_since else self._due - self._clock()


def _read(body: bytes, issuer: str, algorithm: str) -> KeySet:
    listed = read_object(body).get("keys")
    if not isinstance(listed, list):
        raise NotStrict("jwks", "has no list of keys")
    if len(listed) > _MOST_KEYS:
        raise NotStrict("jwks", f"lists more than {_MOST_KEYS} keys")
    return _key_set(listed, issuer, algorithm)


def _key_set(listed: Iterable[Any], issuer: str, algorithm: str) -> KeySet:
    named: dict[str, SigningKey] = {}
    unnamed: list[SigningKey] = []
    ambiguous: set[str] = set()
    for jwk in listed:
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid", ""), str):
            continue
        key_id: str | None = jwk.get("kid")
        try:
            key = read_jwk(jwk, algorithm)
        except UnfitKey as error:
            log.debug("a key of %s is not used: it %s", issuer, error)
            continue
        if key_id is None:
            unnamed.append(key)
        elif named.setdefault(key_id, key) != key:
            ambiguous.add(key_id)
    if ambiguous:
        log.warning("%s publishes different keys of one id; they are not used", issuer)
    return KeySet(
        {name: key for name, key in named.items() if name not in ambiguous}, tuple(unnamed)
    )

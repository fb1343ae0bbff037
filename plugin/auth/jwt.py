"""JWT bearer: a token of a trusted issuer to a Caller, checked once and remembered to its end."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from plugin.auth import claims, compact
from plugin.auth.caller import Caller
from plugin.auth.refusal import Refused, Undecided
from plugin.auth.signatures import SigningKey

_ID_PREFIX = "jwt_"
_ID_LENGTH = 40  # 160 bits in hexadecimal: the ids of two people never meet
_CAPACITY = 10_000


class Keys(Protocol):
    """Where the keys of an issuer come from."""

    def find(self, key_id: str | None) -> SigningKey | None:
        """The key to check a token with that names `key_id`; None when there is none now."""

    def ask(self) -> Callable[[], Awaitable[None]] | None:
        """What to wait for when no key was found, if waiting may help."""


@dataclass(frozen=True, slots=True)
class FixedKey:
    """The one key of an issuer, from the settings; what a token calls it does not matter."""

    key: SigningKey

    def find(self, _key_id: str | None) -> SigningKey | None:
        """The key."""
        return self.key

    def ask(self) -> None:
        """Nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are believed, when they are meant for `audience` and signed by `algorithm`."""

    name: str
    audience: str
    algorithm: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class _Verdict:
    caller: Caller
    expires: int
    issuer: Issuer
    key_id: str | None
    key: SigningKey

    def stands(self, now: float) -> bool:
        """Whether the token is still in time, and its key still in force."""
        return now < self.expires and self.issuer.keys.find(self.key_id) == self.key


class JwtAuth:
    """Answers who a token speaks for. `scopes` are those that some operation asks for.

    Other scopes of a token are left out: `*` as well, for an issuer that does not know this service
    cannot mean everything in it.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        scopes: Collection[str],
        clock: Callable[[], float],
        capacity: int = _CAPACITY,
    ) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._scopes = frozenset(scopes)
        self._clock = clock
        self._capacity = capacity
        self._verdicts: dict[bytes, _Verdict] = {}

    def caller(self, token: bytes) -> Caller:
        """The caller that `token` speaks for; raises `Refused`, or `Undecided` when a key may come.

        A verdict is remembered under the hash of the whole token, good verdicts only.
        """
        now, digest = self._clock(), hashlib.sha256(token).digest()
        verdict = self._verdicts.get(digest)
        if verdict is None or not verdict.stands(now):
            self._verdicts.pop(digest, None)
            verdict = self._judge(token, now)
            if len(self._verdicts) >= self._capacity:
                del self._verdicts[next(iter(self._verdicts))]
            self._verdicts[digest] = verdict
        return verdict.caller

    def _judge(self, token: bytes, now: float) -> _Verdict:
        parts = compact.read(token)
        issuer = self._issuers.get(claims.issuer(parts.claims))
        if issuer is None:
            raise Refused("issuer", "its iss is not an issuer that this service trusts")
        if parts.algorithm != issuer.algorithm:
            raise Refused("algorithm", "its alg is not the one agreed with its issuer")
        key = issuer.keys.find(parts.key_id)
        if key is None:
            raise _without_key(issuer)
        if not key.signed(token):
            raise Refused("signature", "its signature was not made with the key of its issuer")
        grant = claims.check(parts.claims, issuer.audience, now)
        caller = Caller(
            caller_id(issuer.name, grant.subject), grant.subject, grant.scopes & self._scopes
        )
        return _Verdict(caller, grant.expires, issuer, parts.key_id, key)


def _without_key(issuer: Issuer) -> Refused:
    rule, reason = "key", "no key of its issuer fits its kid at the moment"
    settled = issuer.keys.ask()
    return Refused(rule, reason) if settled is None else Undecided(rule, reason, settled)


def caller_id(issuer: str, subject: str) -> str:
    """Stable, of one length, without personal data; API keys never begin like it."""
    named = json.dumps([issuer, subject]).encode()
    return _ID_PREFIX + hashlib.sha256(named).hexdigest()[:_ID_LENGTH]


def is_caller_id(text: str) -> bool:
    """Whether it may be the id of a caller with a token."""
    rest = text.removeprefix(_ID_PREFIX)
    return rest != text and len(rest) == _ID_LENGTH and set(rest) <= set("0123456789abcdef")

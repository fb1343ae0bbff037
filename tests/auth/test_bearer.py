import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter

from plugin.auth.bearer import BearerAuth
from plugin.auth.caller import Caller
from plugin.auth.jwt import FixedKey, Issuer, JwtAuth
from plugin.auth.key_ring import KeyRing
from plugin.auth.keys import KeyStore, make_key
from plugin.auth.refusal import Refused, Undecided
from plugin.auth.signatures import read_key
from plugin.errors import NotAuthenticated
from plugin.operations import CurrentCaller, operation
from plugin.storage.database import Commits
from tests.auth.tokens import AUDIENCE, Author

INJECTIONS = [
    b"' OR 1=1 --",
    b"'; DROP TABLE api_keys; --",
    b'" OR ""="',
    b"gpk_' UNION SELECT hash FROM api_keys --",
    b"gpk_%27%20OR%201%3D1",
    b"admin'/*",
    b"{{7*7}}",
    b"${jndi:ldap://127.0.0.1/a}",
]


@pytest.fixture
def bearer(ring: KeyRing) -> BearerAuth:
    return BearerAuth(ring)


def _headers(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"localhost"), *((b"authorization", value) for value in values)]


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"bEaReR   "])
def test_the_scheme_has_no_case(store: KeyStore, bearer: BearerAuth, scheme: bytes) -> None:
    key = store.create("Ann", ["*"]).key.encode()
    assert bearer(_headers(scheme + key)).name == "Ann"


def test_without_a_credential_no_error_is_named(bearer: BearerAuth) -> None:
    for headers in (_headers(), _headers(b"Basic dXNlcjpwYXNz")):
        with pytest.raises(NotAuthenticated) as caught:
            bearer(headers)
        assert caught.value.headers == {"www-authenticate": 'Bearer realm="gpt-plugin"'}


def test_a_wrong_credential_is_named_but_never_repeated(bearer: BearerAuth) -> None:
    key = make_key()
    with pytest.raises(NotAuthenticated) as caught:
        bearer(_headers(b"Bearer " + key.encode()))
    challenge = caught.value.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="gpt-plugin", error="invalid_token"')
    assert key not in challenge + caught.value.detail


def test_two_credentials_are_none(store: KeyStore, bearer: BearerAuth) -> None:
    good = b"Bearer " + store.create("Ann", ["*"]).key.encode()
    with pytest.raises(NotAuthenticated, match="one Authorization header"):
        bearer(_headers(good, good))


def test_a_reader_that_breaks_refuses(
    bearer: BearerAuth, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_key: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr(ring, "caller", broken)
    with pytest.raises(NotAuthenticated):
        bearer(_headers(b"Bearer " + make_key().encode()))


ANN = Author("https://id.example.com", "HS256")


@pytest.fixture
def with_tokens(ring: KeyRing) -> BearerAuth:
    keys = FixedKey(read_key(ANN.key, ANN.algorithm))
    issuer = Issuer(ANN.issuer, AUDIENCE, ANN.algorithm, keys)
    return BearerAuth(ring, JwtAuth([issuer], ["todos:read"], time.time))


def test_a_key_and_a_token_open_the_same_gate(store: KeyStore, with_tokens: BearerAuth) -> None:
    made = store.create("Ann", ["*"])
    assert with_tokens(_headers(b"Bearer " + made.key.encode())).id == made.id
    caller = with_tokens(_headers(b"bearer  " + ANN.sign() + b" "))
    assert (caller.name, caller.scopes) == ("ann", frozenset({"todos:read"}))


def test_a_change_of_limits_is_seen_for_a_token_too(
    store: KeyStore, with_tokens: BearerAuth, commits: Commits
) -> None:
    headers = _headers(b"Bearer " + ANN.sign())
    with_tokens(headers)
    seen = commits.version
    store.create("any commit", ["*"])
    with_tokens(headers)
    assert commits.version != seen is not None


def test_a_refused_token_is_told_its_rule(with_tokens: BearerAuth) -> None:
    for token, rule in (
        (ANN.sign(claims=ANN.claims(exp=1)), "expired"),
        (ANN.sign(claims=ANN.claims(aud="another")), "audience"),
        (ANN.sign() + b"=", "base64url"),
        (b"eyJhbGciOiJub25lIn0", "three_parts"),
    ):
        with pytest.raises(Refused) as caught:
            with_tokens(_headers(b"Bearer " + token))
        assert caught.value.rule == rule
        challenge = caught.value.headers["www-authenticate"]
        assert challenge.startswith('Bearer realm="gpt-plugin", error="invalid_token", ')
        assert f"by the rule {rule}: " in challenge
        assert challenge.count('"') == 6


def test_what_is_no_token_at_all_is_an_invalid_one(with_tokens: BearerAuth) -> None:
    for token in (b"a b", b"a=.b.c", "a.b.é".encode(), b"a.b.c" * 4_000):
        with pytest.raises(NotAuthenticated) as caught:
            with_tokens(_headers(b"Bearer " + token))
        assert 'error="invalid_token"' in caught.value.headers["www-authenticate"]


def test_without_issuers_a_token_is_no_key(bearer: BearerAuth) -> None:
    with pytest.raises(NotAuthenticated, match="no API key"):
        bearer(_headers(b"Bearer " + ANN.sign()))


async def test_the_gate_waits_for_a_key_that_may_come(gate: Callable[..., Any]) -> None:
    waited: list[str] = []

    async def settled() -> None:
        waited.append("once")

    def authenticate(_headers: object) -> Caller:
        if not waited:
            raise Undecided("key", "no key fits", settled)
        return Caller("jwt_1", "ann", frozenset({"who:read"}))

    reply = await gate(router, authenticate=authenticate)("GET", "/who", key="x")
    assert (reply.status, reply.json, waited) == (200, "jwt_1", ["once"])


async def test_the_gate_waits_but_once(gate: Callable[..., Any]) -> None:
    waited: list[str] = []

    async def settled() -> None:
        waited.append("once")

    def authenticate(_headers: object) -> Caller:
        raise Undecided("key", "no key fits", settled)

    reply = await gate(router, authenticate=authenticate)("GET", "/who", key="x")
    assert (reply.status, waited) == (401, ["once"])


def _odd(dice: random.Random, good: bytes) -> bytes:
    """A value of the Authorization header that must not open the gate."""
    anything = dice.randbytes(dice.randrange(0, 60))
    position = dice.randrange(len(good))
    kinds = (
        anything,
        b"Bearer " + anything,
        b"Bearer " + make_key().encode(),
        b"Bearer " + good[:position],
        b"Bearer " + good + dice.choice([b"a", b"=", b"\x00", b".", b" x", b"\t", b",Bearer x"]),
        b"Bearer\t" + good,
        b"Bearer" + good,
        b"Basic " + good,
        dice.choice([b"", b" ", b"\x00", b"Bearer", b"Bearer ", b"Bearer  \x00"]),
        b"Bearer " + good[:position] + bytes([dice.randrange(256)]) + good[position:],
        b"Bearer " + good[:position] + bytes([good[position] ^ 0x20]) + good[position + 1 :],
        b"Bearer " + dice.choice(INJECTIONS),
        b"Bearer " + dice.choice(INJECTIONS) + good,
        b"Bearer " + "gpk_".encode("utf-16") + anything,
        b"Bearer " + good.replace(b"gpk_", "gрk_".encode()),
        b"Bearer " + b"A" * dice.choice([16_384, 70_000]),
        b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9." + anything.hex().encode(),
        b"Bearer null",
        b"Bearer [object Object]",
    )
    return dice.choice(kinds)


router = APIRouter()


@router.get("/who", operation_id="who")
@operation(scope="who:read")
async def who(caller: CurrentCaller) -> str:
    return caller.id


async def test_ten_thousand_odd_values_never_get_a_wrong_verdict(
    store: KeyStore, bearer: BearerAuth, gate: Callable[..., Any]
) -> None:
    call = gate(router, authenticate=bearer)
    made = store.create("Ann", ["*"])
    good, dice = made.key.encode(), random.Random(20_261_123)  # noqa: S311 - repeatable on purpose
    refused = 0
    for _ in range(10_000):
        value = _odd(dice, good)
        if value[:7].lower() == b"bearer " and value[7:].strip(b" ") == good:
            continue  # the mutation left it as it was
        reply = await call("GET", "/who", key=None, headers=[("authorization", value)])
        assert reply.status == 401, value
        assert reply.headers["www-authenticate"].startswith('Bearer realm="gpt-plugin"')
        assert good not in reply.body
        refused += 1
    assert refused > 9_900
    reply = await call("GET", "/who", key=None, headers=[("authorization", b"Bearer " + good)])
    assert (reply.status, reply.json) == (200, made.id)
    assert len(store.list()) == 1

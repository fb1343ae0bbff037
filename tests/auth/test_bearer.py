import random
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter

from plugin.auth.bearer import BearerAuth
from plugin.auth.key_ring import KeyRing
from plugin.auth.keys import KeyStore, make_key
from plugin.errors import NotAuthenticated
from plugin.operations import CurrentCaller, operation

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

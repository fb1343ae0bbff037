"""Thousands of odd tokens, our verdicts beside those of PyJWT."""

import time
from collections import Counter
from functools import cache
from typing import Any

import jwt as pyjwt
import pytest

from plugin.auth.jwt import FixedKey, Issuer, JwtAuth
from plugin.auth.refusal import Refused
from plugin.auth.signatures import ALGORITHMS, read_key
from tests.auth.odd_tokens import ANY, GOOD, Odd, odd_tokens
from tests.auth.tokens import AUDIENCE, Author
from tests.sizes import sized

COUNT = sized(3_000, 12_000)
SEED = 20_261_123
LEEWAY = 10
AUTHORS = [
    Author(f"https://{algorithm.lower()}.example.com", algorithm)
    for algorithm in sorted(ALGORITHMS)
]

STRICT: Any = {
    "require": ["exp", "iss", "aud", "sub"],
    "enforce_minimum_key_length": True,
}

STRICTER = {
    *("base64url", "utf8", "json", "depth", "finite", "duplicate_member", "length"),
    *("header_member", "header_value", "type"),
    *("time", "expired", "subject", "scope"),
}
"""The rules by which tokens are refused that PyJWT lets through with its strictest options.

`json` and `utf8` are UTF-16, UTF-32 and byte order marks; `expired` is the leeway that it is given.
"""


@pytest.fixture(scope="module")
def auth() -> JwtAuth:
    issuers = [
        Issuer(one.issuer, AUDIENCE, one.algorithm, FixedKey(read_key(one.key, one.algorithm)))
        for one in AUTHORS
    ]
    return JwtAuth(issuers, ["todos:read"], time.time)


def ours(auth: JwtAuth, token: bytes) -> str | None:
    """The rule that is named; None when the token opens the gate."""
    try:
        caller = auth.caller(token)
    except Refused as refused:
        return named(refused)
    assert caller.id.startswith("jwt_")
    return None


def named(refused: Refused) -> str:
    assert f"`{refused.rule}`" in refused.detail
    # what the header of the answer may carry (RFC 6750, 3)
    assert refused.detail.isascii()
    assert not {'"', "\\"} & set(refused.detail)
    return refused.rule


@cache
def prepared(author: Author) -> Any:
    return pyjwt.get_algorithm_by_name(author.algorithm).prepare_key(author.key)


def accepts(author: Author, token: bytes) -> bool:
    """PyJWT's word, with every check that it has; whatever it raises is a no."""
    try:
        pyjwt.decode(
            token,
            prepared(author),
            [author.algorithm],
            options=STRICT,
            audience=AUDIENCE,
            issuer=author.issuer,
            leeway=LEEWAY,
        )
    except Exception:  # noqa: BLE001 - deep JSON and odd types break it in ways of their own
        return False
    return True


def test_no_wrong_verdict(auth: JwtAuth) -> None:
    verdicts: Counter[str] = Counter()
    stricter: Counter[str] = Counter()
    makes = list(odd_tokens(COUNT, AUTHORS, SEED))
    for odd in makes:
        rule, other = ours(auth, odd.token), accepts(odd.author, odd.token)
        assert rule is not None or other, odd
        check(odd, rule)
        verdicts[rule or "good"] += 1
        if other and rule is not None:
            stricter[rule] += 1
    assert len({odd.token for odd in makes}) > COUNT * 5 / 6
    assert verdicts["good"] > COUNT / 24
    assert set(stricter) == STRICTER, stricter
    assert set(verdicts) >= STRICTER | {"signature", "algorithm", "issuer", "audience", "encrypted"}


def check(odd: Odd, rule: str | None) -> None:
    if odd.rules == GOOD:
        assert rule is None, odd
    elif odd.rules != ANY:
        assert rule in odd.rules, odd

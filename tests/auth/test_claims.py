import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.auth.claims import check, issuer
from plugin.auth.refusal import Refused

NOW = 1_800_000_000
NAMES = ("iss", "aud", "exp", "nbf", "iat", "sub", "jti", "scope", "scp")
GOOD: dict[str, Any] = {"aud": "us", "exp": NOW + 60, "sub": "ann"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["us", NOW, NOW + 60]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_is_claimed_is_granted_or_refused(claims: dict[str, Any]) -> None:
    for given_claims in (claims, GOOD | claims):
        try:
            issuer({"iss": "a"} | claims)
            grant = check(given_claims, "us", NOW)
        except Refused:
            continue
        aud = given_claims["aud"]
        assert aud == "us" or "us" in list(aud)
        assert grant.subject == given_claims["sub"]
        assert grant.expires > NOW
        assert math.isfinite(grant.expires)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"exp": NOW}, "expired"),
        ({"exp": NOW + 0.9}, "expired"),
        ({"exp": True}, "time"),
        ({"exp": str(NOW + 60)}, "time"),
        ({"nbf": NOW + 11}, "not_yet"),
        ({"nbf": None}, "time"),
        ({"iat": NOW + 11}, "issued_later"),
        ({"iat": math.inf}, "time"),
        ({"aud": []}, "audience"),
        ({"aud": ["us", 7]}, "audience"),
        ({"aud": "usa"}, "audience"),
        ({"sub": " "}, "subject"),
        ({"sub": "a" * 256}, "subject"),
        ({"scope": ["a"]}, "scope"),
        ({"scp": 7}, "scope"),
        ({"jti": 7}, "token_id"),
    ],
)
def test_rules(changed: dict[str, Any], rule: str) -> None:
    with pytest.raises(Refused) as caught:
        check(GOOD | changed, "us", NOW)
    assert caught.value.rule == rule


@pytest.mark.parametrize("missing", ["aud", "exp", "sub"])
def test_each_is_required(missing: str) -> None:
    with pytest.raises(Refused):
        check({name: value for name, value in GOOD.items() if name != missing}, "us", NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW + 1},
        {"nbf": NOW + 10, "iat": NOW + 10},
        {"aud": ["us"]},
        {"aud": ["others", "us"]},
        {"sub": "a" * 255},
        {"iat": 0},
    ],
)
def test_what_just_holds_is_granted(changed: dict[str, Any]) -> None:
    assert check(GOOD | changed, "us", NOW)

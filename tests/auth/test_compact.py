import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.auth.compact import LONGEST, decode, read
from plugin.auth.refusal import Refused
from tests.auth.tokens import Author, dump, encode

ANN = Author("https://id.example.com", "HS256")


def part(value: object) -> bytes:
    return encode(dump(value))


def test_a_token_is_taken_apart() -> None:
    token = ANN.sign(ANN.header(kid="7", x5t="abc"), {"iss": "a"})
    parts = read(token)
    assert (parts.algorithm, parts.key_id, parts.claims) == ("HS256", "7", {"iss": "a"})


@given(st.binary(min_size=1, max_size=60))
def test_bytes_have_one_spelling(data: bytes) -> None:
    text = encode(data)
    assert decode(text) == data
    for other in (text + b"=", text + b"\n", b" " + text, text + b"AAAAA", base64.b64encode(data)):
        assert other == text or decode(other) is None or decode(other) != data


@given(st.binary(max_size=12))
def test_what_decodes_is_exactly_what_encodes(text: bytes) -> None:
    data = decode(text)
    assert data is None or encode(data) == text


@given(st.binary(max_size=200) | st.lists(st.binary(max_size=60).map(encode)).map(b".".join))
def test_nothing_but_a_refusal_comes_of_noise(token: bytes) -> None:
    try:
        parts = read(token)
    except Refused:
        return
    assert token.count(b".") == 2
    assert parts.algorithm


@pytest.mark.parametrize(
    ("header", "rule"),
    [
        ({}, "algorithm"),
        ({"alg": None}, "header_value"),
        ({"alg": ["HS256"]}, "header_value"),
        ({"alg": "HS256", "kid": 7}, "header_value"),
        ({"alg": "HS256", "typ": "dpop+jwt"}, "type"),
        ({"alg": "HS256", "jwk": {}}, "header_member"),
        ([], "json"),
    ],
)
def test_headers(header: object, rule: str) -> None:
    with pytest.raises(Refused) as caught:
        read(part(header) + b"." + part({}) + b".AA")
    assert caught.value.rule == rule


def test_the_longest_token_is_read_and_no_longer_one() -> None:
    head, tail = part({"alg": "HS256"}), b"AAA"
    room = LONGEST - len(head) - len(tail) - 2
    claims = b'{"a":"%s"}' % (b"x" * (room * 3 // 4 - 8))
    token = b".".join((head, encode(claims), tail))
    assert LONGEST - 4 < len(token) <= LONGEST
    assert read(token)
    with pytest.raises(Refused) as caught:
        read(token + b"A" * 8)
    assert caught.value.rule == "length"

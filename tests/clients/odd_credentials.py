"""Values of the Authorization header that a careless or hostile client may send.

Each comes with the verdict that RFC 6750 and RFC 9110 demand: the key in the Bearer scheme, spelled
in any case and parted by spaces, opens the gate; nothing else does.
"""

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote

Odd = tuple[bytes, bool]
"""A header value, and whether it must open the gate."""

Maker = Callable[[random.Random, str], Odd]

_ALPHABET = string.ascii_letters + string.digits
_NASTY = (
    *("' OR '1'='1", "'; DROP TABLE api_keys; --", '" OR ""="', "gpk_%' --", "${jndi:ldap://x}"),
    *("../../etc/passwd", "{{7*7}}", "null", "undefined", "true", "[object Object]", "*", "%00"),
    *("gpk_", "gpk_" + "0" * 36, "GPK_" + "a" * 36, "sk-" + "a" * 48, "<script>", "a" * 8_000),
)


def odd_values(count: int, key: str, others: list[str], seed: int) -> Iterator[Odd]:
    """So many values around `key`; `others` are well-formed keys that must not open the gate."""
    rng = random.Random(seed)  # noqa: S311 - the same values at each run
    makers = (*_MAKERS, _another(others))
    for number in range(count):
        yield makers[number % len(makers)](rng, key)


def _good(rng: random.Random, key: str) -> Odd:
    scheme = "".join(rng.choice((str.lower, str.upper))(letter) for letter in "bearer")
    spaces = [" " * rng.choice((0, 0, 1, 5)) for _ in range(2)]
    between = " " * rng.choice((1, 1, 2, 9))
    return f"{spaces[0]}{scheme}{between}{key}{spaces[1]}".encode(), True


def _one_letter_changed(rng: random.Random, key: str) -> Odd:
    at = rng.randrange(len(key))
    other = rng.choice([letter for letter in _ALPHABET + "_-.~+/= " if letter != key[at]])
    changed = key[:at] + other + key[at + 1 :]
    # a space at the end is white space around the value
    return f"Bearer {changed}".encode(), changed.strip(" ") == key


def _cut_or_grown(rng: random.Random, key: str) -> Odd:
    if rng.random() < 0.5:
        return b"Bearer " + key[: rng.randrange(len(key))].encode(), False
    more = "".join(rng.choices(_ALPHABET + "=", k=rng.randint(1, 40)))
    grown = rng.choice((key + more, more + key, key + key, f"{key},{key}", f"{key} {more}"))
    return b"Bearer " + grown.encode(), False


def _other_case(rng: random.Random, key: str) -> Odd:
    changed = rng.choice((key.upper(), key.lower(), key.swapcase(), key.title()))
    return f"Bearer {changed}".encode(), False


def _other_scheme(rng: random.Random, key: str) -> Odd:
    scheme = rng.choice(
        ("Basic", "Digest", "Token", "ApiKey", "Bear", "Bearers", "B\u0435arer", "")
    )
    between = rng.choice((" ", "  ", ":", "=", "/"))
    return f"{scheme}{between}{key}".encode(), False


def _badly_parted(rng: random.Random, key: str) -> Odd:
    between = rng.choice((b"", b"\t", b"\xa0", b"\xc2\xa0", b"\xe3\x80\x80", b":", b", ", b"\t \t"))
    return b"Bearer" + between + key.encode(), False


def _wrapped(rng: random.Random, key: str) -> Odd:
    wrap = rng.choice(('"{}"', "'{}'", "<{}>", "{{{}}}", "token={}", "Bearer {}", "{};", "\\{}"))
    return b"Bearer " + wrap.format(key).encode(), False


def _encoded(rng: random.Random, key: str) -> Odd:
    encoded = rng.choice(
        (
            base64.b64encode(key.encode()),
            base64.urlsafe_b64encode(key.encode()).rstrip(b"="),
            base64.b64encode(b"user:" + key.encode()),
            quote(key.replace("_", "%5F")).encode(),
            "".join(f"%{byte:02x}" for byte in key.encode()).encode(),
            key.encode("utf-16-le"),
            key.encode().hex().encode(),
            "".join(chr(ord(letter) + 0xFEE0) for letter in key).encode(),
        )
    )
    return b"Bearer " + encoded, False


def _like_a_jwt(rng: random.Random, key: str) -> Odd:
    algorithms: list[object] = ["none", "None", "HS256", "RS256", "", 7, None, [], {"a": "b"}]
    algorithm = rng.choice(algorithms)
    header = rng.choice(
        (
            json.dumps(
                {"alg": algorithm, "typ": "JWT", "kid": rng.choice((key, "../key", "' --"))}
            ),
            "[" * rng.randint(1, 3000),
            '{"a":' * rng.randint(1, 1000),
            '{"alg":"none","alg":"HS256"}',
            "\ufeff{}",
        )
    )
    claims = rng.choice(('{"sub":"admin","exp":Infinity}', '{"exp":1e999}', "{}", "null", key))
    parts = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (header, claims)]
    signature = rng.choice((b"", b"AAAA", b"====", key.encode()))
    return b"Bearer " + b".".join([*parts, signature]), False


def _nasty(rng: random.Random, key: str) -> Odd:
    nasty = rng.choice(_NASTY)
    value = rng.choice((nasty, f"Bearer {nasty}", f"Bearer {nasty}{key}", f"Bearer {key}{nasty}"))
    return value.encode(), False


def _noise(rng: random.Random, key: str) -> Odd:
    noise = rng.randbytes(rng.choice((0, 1, 2, 7, 40, 300)))
    value = rng.choice((noise, b"Bearer " + noise, b"Bearer " + noise + key.encode()))
    # these end the header: what comes after is another request's affair
    value = value.translate(None, b"\r\n")
    return value, value.strip(b" \t").lower() == b"bearer " + key.lower().encode()


def _control_characters(rng: random.Random, key: str) -> Odd:
    at = rng.randrange(len(key) + 1)
    control = bytes([rng.choice([*range(9), 11, 12, *range(14, 32), 127])])
    return b"Bearer " + key[:at].encode() + control + key[at:].encode(), False


def _smuggled(rng: random.Random, key: str) -> Odd:
    line = rng.choice((b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\t", b"\x00\r\n"))
    after = rng.choice((b"X: " + key.encode(), key.encode(), b"Host: evil", b"", line + b"GET / "))
    return rng.choice((b"Bearer", b"Bearer ", b"Bearer a", b"")) + line + after, False


def _long(rng: random.Random, key: str) -> Odd:
    padding = rng.choice("a=A.~") * rng.choice((500, 4_000, 16_384, 20_000))
    return rng.choice((b"Bearer %s%s", b"%s Bearer %s")) % (padding.encode(), key.encode()), False


def _another(others: list[str]) -> Maker:
    def maker(rng: random.Random, _key: str) -> Odd:
        return b"Bearer " + rng.choice(others).encode(), False

    return maker


_MAKERS: tuple[Maker, ...] = (
    *(_good, _one_letter_changed, _cut_or_grown, _other_case, _other_scheme, _badly_parted),
    *(_wrapped, _encoded, _like_a_jwt, _nasty, _noise, _control_characters, _smuggled, _long),
)

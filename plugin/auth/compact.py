"""The text of a token (RFC 7515, compact): three exact parts, and a header that asks for nothing.

Everything here is decided before any key is touched, and stricter than the signature library is.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.auth.refusal import Refused
from plugin.auth.strict_json import NotStrict, read_object

LONGEST = 16_384
_LONGEST_HEADER = 4_096
_PARTS = 3
_PARTS_OF_JWE = 5
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+")

_ASKING = ("crit", "b64", "jku", "jwk", "x5u", "x5c")
"""Members by which a header brings its own key or changes the rules."""

_TYPES = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})


@dataclass(frozen=True, slots=True)
class Compact:
    """A token taken apart; nothing in it is proven yet."""

    text: bytes
    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]


def read(token: bytes) -> Compact:
    """Take a token apart; raises `Refused`, naming the rule that its text breaks."""
    if len(token) > LONGEST:
        raise Refused("length", f"it is longer than {LONGEST} characters")
    parts = token.split(b".")
    if len(parts) == _PARTS_OF_JWE:
        raise Refused("encrypted", "it is encrypted (JWE); send a signed one")
    if len(parts) != _PARTS:
        raise Refused("three_parts", "a JWT is three parts joined by dots")
    if len(parts[0]) > _LONGEST_HEADER:
        raise Refused("length", f"its header is longer than {_LONGEST_HEADER} characters")
    names = ("header", "payload", "signature")
    header, payload, _ = (_part(part, name) for part, name in zip(parts, names, strict=True))
    algorithm, key_id = _read_header(_object(header, "header"))
    return Compact(token, algorithm, key_id, _object(payload, "payload"))


def decode(text: bytes) -> bytes | None:
    """The bytes that base64url text without padding stands for; None when not exactly that."""
    if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
        return None
    data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    # the last character may carry bits that stand for nothing: one spelling only
    return data if base64.urlsafe_b64encode(data).rstrip(b"=") == text else None


def _part(text: bytes, name: str) -> bytes:
    data = decode(text)
    if data is None:
        raise Refused("base64url", f"its {name} is not exact base64url without padding")
    return data


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        return read_object(data)
    except NotStrict as error:
        raise Refused(error.rule, f"its {name} {error}") from None


def _read_header(header: Mapping[str, Any]) -> tuple[str, str | None]:
    for name in _ASKING:
        if name in header:
            raise Refused("header_member", f"its header carries {name}, which is not honoured")
    if not all(isinstance(value, str) for value in header.values()):
        raise Refused("header_value", "its header holds a value that is not a string")
    if header.get("typ", "JWT").lower() not in _TYPES:
        raise Refused("type", "its typ is neither JWT nor at+jwt")
    algorithm: str | None = header.get("alg")
    if algorithm is None:
        raise Refused("algorithm", "its header names no alg")
    return algorithm, header.get("kid")

"""What a token claims (RFC 7519, RFC 9068): every claim is there, of its type, and holds now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.auth.refusal import Refused

_LEEWAY = 10  # seconds that an issuer's clock may be ahead of ours
_LAST_TIME = 253_402_300_799  # the end of the year 9999
_LONGEST_SUBJECT = 255  # OpenID Connect Core 2


@dataclass(frozen=True, slots=True)
class Grant:
    """To whom a token speaks for, until when (seconds since the epoch), and with which scopes."""

    subject: str
    expires: int
    scopes: frozenset[str]


def issuer(claims: Mapping[str, Any]) -> str:
    """Who says to have issued the token."""
    name = claims.get("iss")
    if not isinstance(name, str):
        raise Refused("issuer", "it has no iss that is a string")
    return name


def check(claims: Mapping[str, Any], audience: str, now: float) -> Grant:
    """What the claims grant at `now`; raises `Refused`, naming the rule that they break."""
    _check_audience(claims.get("aud"), audience)
    expires = int(_time(claims, "exp"))
    if expires <= now:
        raise Refused("expired", "its exp has passed; get a new one")
    if "nbf" in claims and _time(claims, "nbf") > now + _LEEWAY:
        raise Refused("not_yet", "its nbf has yet to come")
    if "iat" in claims and _time(claims, "iat") > now + _LEEWAY:
        raise Refused("issued_later", "its iat lies in the future")
    if not isinstance(claims.get("jti", ""), str):
        raise Refused("token_id", "its jti is not a string")
    return Grant(_subject(claims.get("sub")), expires, _scopes(claims))


def _check_audience(given: Any, audience: str) -> None:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Refused("audience", "it has no aud that is a string or a list of strings")
    if audience not in listed:
        raise Refused("audience", "its aud does not name this service")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # a boolean is an int to Python, and to no issuer
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused("time", f"it has no {name} that is a number")
    if not 0 <= value <= _LAST_TIME:
        raise Refused("time", f"its {name} is not a time in seconds")
    return value


def _subject(given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise Refused("subject", "it has no sub that is a string with something in it")
    if len(given) > _LONGEST_SUBJECT or not given.isprintable():
        raise Refused(
            "subject", f"its sub is longer than {_LONGEST_SUBJECT} characters or not printable"
        )
    return given


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    scope, scp = claims.get("scope", ""), claims.get("scp", "")
    if not isinstance(scope, str):
        raise Refused("scope", "its scope is not a string")
    listed = scp.split(" ") if isinstance(scp, str) else scp
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise Refused("scope", "its scp is neither a string nor a list of strings")
    # `scope` is the standard's name (RFC 8693, RFC 9068): where it is, `scp` adds nothing
    return frozenset(scope.split(" ") if "scope" in claims else listed)

"""`Authorization: Bearer …` to a Caller: reads the header and chooses by the kind of credential."""

import logging
import re
from collections.abc import Iterable

from plugin.auth.caller import Caller
from plugin.auth.jwt import JwtAuth
from plugin.auth.key_ring import KeyRing
from plugin.auth.keys import PREFIX
from plugin.auth.refusal import Refused
from plugin.errors import NotAuthenticated

log = logging.getLogger(__name__)

REALM = "gpt-plugin"
_HEADER = b"authorization"
_SCHEME = b"bearer "
_TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 2.1, b64token
_KEY_PREFIX = PREFIX.encode()
_LONGEST = 16_384


class BearerAuth:
    """Who sent a request: whatever came, it returns a Caller or raises `NotAuthenticated`.

    The latter is an `Undecided` where waiting may help. Without `tokens` only API keys are known.
    """

    def __init__(self, keys: KeyRing, tokens: JwtAuth | None = None) -> None:
        self._keys = keys
        self._tokens = tokens

    def __call__(self, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        """The caller named by the headers of a request, as ASGI gives them."""
        token = _token(headers)
        try:
            return self._caller(token)
        except NotAuthenticated as error:
            error.headers["www-authenticate"] = _challenge(error.detail, "invalid_token")
            raise
        except Exception:
            # A credential that breaks its reader is refused, never answered with a 5xx.
            log.exception("reading a credential failed")
            raise _refuse("The credential cannot be read.", "invalid_token") from None

    def _caller(self, token: bytes) -> Caller:
        if token.startswith(_KEY_PREFIX):
            return self._keys.caller(token)
        if self._tokens is None:
            raise NotAuthenticated(f"The credential is no API key: those begin with {PREFIX}.")
        if b"." not in token:
            raise Refused("three_parts", f"it is neither an API key ({PREFIX}...) nor a JWT")
        self._keys.look()  # for limits, as the ring does for its keys
        return self._tokens.caller(token)


def _token(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    values = [value for name, value in headers if name == _HEADER]
    if not values:
        raise _refuse("Send the API key as `Authorization: Bearer <key>`.", None)
    if len(values) > 1:
        raise _refuse("Send one Authorization header, not several.", "invalid_request")
    value = values[0]
    if value[: len(_SCHEME)].lower() != _SCHEME:
        raise _refuse("Use the Bearer scheme: `Authorization: Bearer <key>`.", None)
    token = value[len(_SCHEME) :].strip(b" ")
    if len(token) > _LONGEST or _TOKEN.fullmatch(token) is None:
        raise _refuse("The text after `Bearer` is not a credential.", "invalid_token")
    return token


def _refuse(detail: str, code: str | None) -> NotAuthenticated:
    return NotAuthenticated(detail, headers={"www-authenticate": _challenge(detail, code)})


def _challenge(detail: str, code: str | None) -> str:
    # RFC 6750 3.1: no error code when no credential of this scheme was sent at all.
    challenge = f'Bearer realm="{REALM}"'
    if code is not None:
        challenge += f', error="{code}", error_description="{detail.replace("`", "")}"'
    return challenge

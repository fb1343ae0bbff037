"""The credentials of `plugin auth-matrix`: made for this service, or given for another's."""

import hmac
import json
import secrets
import string
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugin.contract.operation import Operation
from plugin.harness.credentials import REFUSED, Credential

if TYPE_CHECKING:
    from plugin.auth.keys import KeyStore

MISSING_SCOPE = "missing_scope"
_UNAUTHENTICATED = (401,)
_FORBIDDEN = (403,)
_MALFORMED = "not a key"
_ISSUER = "https://issuer.invalid"
_AUDIENCE = "plugin-auth-matrix"
_LIFETIME = 3600
_LONG_AGO = -3600


class OurCredentials:
    """Keys and tokens for a throw-away database of our own: whatever a gate must refuse."""

    def __init__(self, scopes: Sequence[str]) -> None:
        self._scopes = tuple(scopes)
        self._secret = secrets.token_hex(64)
        self._expired = self._revoked = self.valid = ""
        self._narrow: dict[str, str] = {}

    def make(self, store: "KeyStore") -> None:
        """Make the keys."""
        self.valid = store.create("valid", ("*",)).key
        self._expired = store.create("expired", ("*",), _LONG_AGO).key
        revoked = store.create("revoked", ("*",))
        store.revoke(revoked.id)
        self._revoked = revoked.key
        for scope in self._scopes:
            others = [one for one in self._scopes if one != scope] or ["none"]
            self._narrow[scope] = store.create(f"all but {scope}", others).key

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that make the service believe our tokens."""
        from pydantic import SecretStr

        from plugin.settings import JwtIssuer

        issuer = JwtIssuer(
            issuer=_ISSUER, audience=_AUDIENCE, algorithm="HS256", key=SecretStr(self._secret)
        )
        return {"jwt_issuers": (issuer,)}

    @property
    def keys(self) -> dict[str, str]:
        """What must be let in."""
        return {"valid": self.valid, "jwt_valid": self._token()}

    def of(self, operation: Operation) -> list[Credential]:
        """What must be refused at an operation."""
        from plugin.auth.keys import make_key

        wanted = {
            scope for one in operation.security for scopes in one.values() for scope in scopes
        }
        found = [
            *(("no_key", None), ("malformed", _MALFORMED), ("unknown", make_key())),
            *(("expired", self._expired), ("revoked", self._revoked)),
            ("jwt_expired", self._token(exp=int(time.time()) + _LONG_AGO)),
            ("jwt_wrong_issuer", self._token(iss="https://another.invalid")),
            ("jwt_wrong_audience", self._token(aud="another")),
            ("jwt_wrong_algorithm", self._token("HS512")),
            ("jwt_no_algorithm", self._token("none")),
            ("jwt_wrong_signature", self._token(secret=secrets.token_hex(64))),
        ]
        refused = [Credential(case, text, _UNAUTHENTICATED) for case, text in found]
        narrow = [self._narrow[scope] for scope in sorted(wanted) if scope in self._narrow]
        others = " ".join(scope for scope in self._scopes if scope not in wanted)
        refused += [Credential(MISSING_SCOPE, key, _FORBIDDEN) for key in narrow]
        return [
            *refused,
            Credential(f"jwt_{MISSING_SCOPE}", self._token(scope=others), _FORBIDDEN),
        ]

    def _token(self, algorithm: str = "HS256", secret: str = "", **claims: Any) -> str:
        now = int(time.time())
        everything = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": "auth-matrix",
            "iat": now,
            "exp": now + _LIFETIME,
            "scope": " ".join(self._scopes),
            **claims,
        }
        parts = [_packed({"alg": algorithm, "typ": "JWT"}), _packed(everything)]
        signed = ".".join(parts)
        if algorithm == "none":
            return f"{signed}."
        digest = hmac.digest(
            (secret or self._secret).encode(), signed.encode(), f"sha{algorithm.removeprefix('HS')}"
        )
        return f"{signed}.{_base64(digest)}"


@dataclass(frozen=True, slots=True)
class GivenCredentials:
    """What can be tried at a stranger's service: nobody, nonsense, and the keys that were given."""

    key: str | None = None
    cases: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, str]:
        """What must be let in."""
        return {"valid": self.key} if self.key else {}

    def of(self, _: Operation) -> list[Credential]:
        """What must be refused."""
        return [
            Credential("no_key", None),
            Credential("malformed", _MALFORMED, (400, *REFUSED)),
            Credential("unknown", _like(self.key)),
            *(
                Credential(case, text, _FORBIDDEN if case.endswith(MISSING_SCOPE) else REFUSED)
                for case, text in self.cases.items()
            ),
        ]


def _like(key: str | None) -> str:
    """A key that nobody was given, of the same shape as a good one."""
    letters = string.ascii_letters + string.digits
    if not key:
        return "".join(secrets.choice(letters) for _ in range(40))
    # What leads up to a key's last sign of that kind tells whose it is (`sk-`, `gpk_`).
    start = max(key.rfind("_"), key.rfind("-"), key.rfind("."), 0)
    start = start + 1 if start and start < len(key) - 8 else 0
    changed = [
        secrets.choice(string.digits if sign.isdigit() else letters) if sign.isalnum() else sign
        for sign in key[start:]
    ]
    return key[:start] + "".join(changed)


def _packed(value: Any) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()

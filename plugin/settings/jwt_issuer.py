"""An issuer of tokens, as an operator writes it."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Algorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"]


class JwtIssuer(BaseModel):
    """Whose tokens are believed: meant for whom, signed how, and checked with which key."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    issuer: str = Field(min_length=1, max_length=2_000)
    audience: str = Field(min_length=1, max_length=2_000)
    algorithm: Algorithm
    key: SecretStr | None = None
    jwks_url: str | None = None

    @field_validator("jwks_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://none")
        # Whoever can change these keys on their way can be anybody.
        near = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if not parts.hostname or parts.scheme not in ({"http", "https"} if near else {"https"}):
            raise ValueError("an address with https is asked for, or with http on this machine")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a user name or password is not sent")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.key is None) == (self.jwks_url is None):
            raise ValueError("either key or jwks_url is asked for")
        if self.jwks_url is not None and self.algorithm.startswith("HS"):
            raise ValueError("a secret is not published: HS algorithms go with key")
        return self

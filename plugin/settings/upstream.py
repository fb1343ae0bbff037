"""An upstream, as an operator writes it: an OpenAI-compatible address and the models it has."""

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class UpstreamModel(BaseModel):
    """A model that an upstream serves; a plain text instead of an object is its id."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")
    kind: Literal["text", "embedding", "image", "moderation"] = "text"
    context_window: int | None = Field(default=None, ge=1)
    strengths: str | None = Field(default=None, max_length=500)
    retires: str | None = None

    @field_validator("retires")
    @classmethod
    def _day(cls, value: str | None) -> str | None:
        if value is not None:
            date.fromisoformat(value)
        return value


class Upstream(BaseModel):
    """Where it is, what it is asked for, and how patient we are with it.

    `timeout` is in seconds: for the whole of an answer, or between two pieces of a stream. A worker
    has at most `concurrency` requests with it at a time, and at most half of them for one caller.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    base_url: str
    api_key: SecretStr | None = None
    models: Annotated[tuple[UpstreamModel, ...], Field(strict=False, min_length=1)]
    timeout: float = Field(default=120.0, gt=0, le=3_600)
    connect_timeout: float = Field(default=4.0, gt=0, le=60)
    retries: int = Field(default=2, ge=0, le=10)
    concurrency: int = Field(default=1_000, ge=1, le=100_000)

    @field_validator("base_url")
    @classmethod
    def _plain(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an address with http or https is asked for")
        if parts.username is not None or parts.password is not None:
            raise ValueError("the key goes into api_key, not into the address")
        if "?" in value or "#" in value or not all("!" <= character <= "~" for character in value):
            raise ValueError("an address without a query, in ASCII, is asked for")
        return value.rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        # It becomes part of a header.
        text = "" if value is None else value.get_secret_value()
        if value is not None and not (text and all("!" <= character <= "~" for character in text)):
            raise ValueError("a key is plain ASCII without spaces")
        return value

    @field_validator("models", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple({"id": one} if isinstance(one, str) else one for one in value)
        return value

    @field_validator("models")
    @classmethod
    def _listed_once(cls, value: tuple[UpstreamModel, ...]) -> tuple[UpstreamModel, ...]:
        if len({one.id for one in value}) < len(value):
            raise ValueError("a model is listed twice")
        return value

"""The environment, typed: every setting, what it allows, and the only reader of it."""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from plugin.errors import CannotRun
from plugin.masking import without_user
from plugin.settings import env_file, faults
from plugin.settings.jwt_issuer import JwtIssuer
from plugin.settings.price import Price
from plugin.settings.upstream import Upstream

__all__ = [
    "BUILT_IN",
    "PREFIX",
    "JwtIssuer",
    "Offer",
    "Price",
    "Settings",
    "Upstream",
    "data_dir",
    "load",
    "load_offer",
    "unknown_names",
]

PREFIX = "PLUGIN_"
_PACKAGE = Path(__file__).parents[1]
_OF_COMMANDS = frozenset({"key"})
"""Names that a command reads by itself: the key that `plugin replay` sends."""

BUILT_IN = ("documents", "todos", "weather")
"""The families of operations that come with this package."""

_SECRETS = frozenset({"database_url", "counters_url", "upstreams", "jwt_issuers"})

_NOT_YET = ("postgres", "postgresql", "redis", "rediss", "redis+sentinel")

Names = Annotated[tuple[str, ...], NoDecode]
"""A comma-separated list."""

_Offer = TypeVar("_Offer", bound="Offer")


def _well_known() -> Path:
    # A plugin of one's own has the folder where it is started; a wheel carries ours inside the
    # package, a checkout beside it.
    places = (Path(".well-known"), _PACKAGE / ".well-known")
    found = (place for place in places if (place / "ai-plugin.json").is_file())
    return next(found, _PACKAGE.parent / ".well-known")


class _File(DotEnvSettingsSource):
    """`.env`, but for what the environment empties: an empty variable is the default."""

    def __call__(self) -> dict[str, Any]:
        emptied = env_file.emptied()
        found = super().__call__()
        return {
            name: value for name, value in found.items() if f"{PREFIX}{name}".upper() not in emptied
        }


class Offer(BaseSettings):
    """Which operations there are: what the contract promises, whatever else is set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=env_file.FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    operations: Names = Field(
        default=(), description="comma-separated names of packages that hold operations"
    )
    built_in: Names = Field(
        default=BUILT_IN,
        description=f"comma-separated names among {', '.join(BUILT_IN)}, or none",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the first that knows a setting before the others."""
        file = getattr(dotenv_settings, "env_file", None)  # a caller may have asked for none
        return init_settings, env_settings, _File(settings_cls, file), file_secret_settings

    @field_validator("operations", "built_in", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("operations")
    @classmethod
    def _dotted(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(name)
        return value

    @field_validator("built_in")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value == ("none",):
            return ()
        for name in value:
            if name not in BUILT_IN:
                raise ValueError(name)
        return value


class Settings(Offer):
    """What the service is told by its surroundings; each description says what is allowed."""

    data_dir: Path = Field(
        default=Path("data"), description="a folder for database, files and the first key"
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="an address or host name to listen on"
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="a port from 0 to 65535 (0: any free one)"
    )
    workers: int = Field(default=1, ge=1, le=32, description="a number of processes from 1 to 32")
    hang_seconds: int = Field(
        default=60,
        ge=5,
        le=3600,
        description="how long a worker may show no life before it is replaced, 5 to 3600 seconds",
    )
    drain_seconds: int = Field(
        default=30,
        ge=0,
        le=3600,
        description="how long a stopping service answers what is under way, 0 to 3600 seconds",
    )
    drain_delay: int = Field(
        default=0,
        ge=0,
        le=300,
        description="how long before that /readyz already refuses, 0 to 300 seconds",
    )
    header_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="how long the headers of a request may take, up to 600 seconds",
    )
    body_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="how long no byte of a request may come or of an answer be read, "
        "up to 3600 seconds",
    )
    idle_seconds: float = Field(
        default=75.0,
        gt=0,
        le=3600,
        description="how long a connection stays open between requests, up to 3600 seconds",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        description="the http(s) address at which callers reach this service, without a query",
    )
    database_url: str | None = Field(
        default=None,
        pattern=r"^sqlite:///.+$",
        description="sqlite:///<path>, or nothing for plugin.db in the data directory",
    )
    trusted_proxies: Names = Field(
        default=(),
        description="comma-separated addresses or networks whose forwarded headers are believed",
    )
    body_limit: int = Field(
        default=1_048_576,
        ge=1_024,
        le=1_073_741_824,
        description="the largest request body, 1024 to 1073741824 bytes",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="one of debug, info, warning, error (from warning on: no access log)",
    )
    well_known_dir: Path = Field(
        default_factory=_well_known, description="the folder of the manifest template and the logo"
    )
    weather_forecast_url: str = Field(
        default="https://api.open-meteo.com/v1/forecast",
        pattern=r"^https?://\S+$",
        description="the http(s) address of an Open-Meteo forecast service",
    )
    weather_geocoding_url: str = Field(
        default="https://geocoding-api.open-meteo.com/v1/search",
        pattern=r"^https?://\S+$",
        description="the http(s) address of an Open-Meteo geocoding service",
    )
    jwt_issuers: Annotated[tuple[JwtIssuer, ...], NoDecode] = Field(
        default=(),
        description="a JSON list of objects with issuer, audience, algorithm, and key or jwks_url",
    )
    upstreams: Annotated[tuple[Upstream, ...], NoDecode] = Field(
        default=(), description="a JSON list of objects with name, base_url, api_key and models"
    )
    model_aliases: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict, description="a JSON object from model name to model name"
    )
    engine: Literal["embedded", "none"] = Field(
        default="embedded", description="embedded, or none to start no engine on this machine"
    )
    engine_threads: int | None = Field(
        default=None, ge=1, le=1024, description="a number of threads from 1 to 1024"
    )
    engine_slots: int = Field(
        default=4, ge=1, le=64, description="how many texts are decoded at once, 1 to 64"
    )
    engine_context: int = Field(
        default=4096,
        ge=512,
        le=8192,
        description="the tokens of one prompt and answer, 512 to 8192",
    )
    model_dir: Path | None = Field(default=None, description="a folder for model files")
    file_limit: int = Field(
        default=104_857_600,
        ge=1_024,
        le=1_073_741_824,
        description="the largest uploaded file, 1024 to 1073741824 bytes",
    )
    quota_files: int = Field(
        default=1_073_741_824,
        ge=0,
        le=2**53,
        description="how many bytes of files a key may store, 0 for no quota",
    )
    quota_documents: int = Field(
        default=268_435_456,
        ge=0,
        le=2**53,
        description="how many bytes of documents a key may store, 0 for no quota",
    )
    quota_answers: int = Field(
        default=268_435_456,
        ge=0,
        le=2**53,
        description="how many bytes of answers are kept for the Idempotency-Keys of a key, "
        "0 for no quota",
    )
    disk_reserve: int = Field(
        default=67_108_864,
        ge=0,
        le=2**53,
        description="bytes of the data directory's disk that only operators may use, 0 for none",
    )
    queue: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="how many calls wait in a worker instead of being refused, 0 to 100000",
    )
    queue_seconds: float = Field(
        default=10.0, gt=0, le=600, description="how long a call waits at most, up to 600 seconds"
    )
    prices: Annotated[dict[str, Price], NoDecode] = Field(
        default_factory=dict,
        description="a JSON object from model or operation to an object with in, out and call",
    )
    traces: str | None = Field(
        default_factory=lambda: os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or None,
        pattern=r"^https?://\S+$",
        description="the http(s) address of a collector that speaks OTLP, or nothing: no traces",
    )
    counters_url: str | None = Field(
        default=None,
        pattern="^$",
        description="nothing: the workers of one machine share their counters",
    )

    @field_validator("database_url", "counters_url", mode="before")
    @classmethod
    def _supported(cls, value: Any) -> Any:
        scheme = str(value).partition(":")[0]
        if scheme in _NOT_YET:
            said = "{scheme}:// is not supported yet"
            raise PydanticCustomError(faults.NOT_YET, said, {"scheme": scheme})
        return value

    @field_validator("public_url")
    @classmethod
    def _with_host(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://host")
        if not parts.hostname or parts.port == 0:  # a port that is no number raises
            raise ValueError(value)
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_proxies(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("jwt_issuers", "upstreams", "model_aliases", "prices", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("jwt_issuers")
    @classmethod
    def _distinct(cls, value: tuple[JwtIssuer, ...]) -> tuple[JwtIssuer, ...]:
        if len({one.issuer for one in value}) < len(value):
            raise ValueError("an issuer is named twice")
        return value

    @field_validator("upstreams")
    @classmethod
    def _named_once(cls, value: tuple[Upstream, ...]) -> tuple[Upstream, ...]:
        if len({one.name for one in value}) < len(value):
            raise ValueError("an upstream is named twice")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            ipaddress.ip_network(name, strict=False)
        return value

    @property
    def database(self) -> str:
        """The address of the database."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'plugin.db').absolute()}"

    @property
    def base_url(self) -> str:
        """The address to tell callers, without a user and without a slash at its end."""
        if self.public_url:
            return without_user(self.public_url).rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}"


def load(**options: Any) -> Settings:
    """Read the environment and `.env`. `options` of a command come first, unless they are None.

    Raises `CannotRun` with one line that names the setting whose value is not allowed.
    """
    return _read(Settings, {name: value for name, value in options.items() if value is not None})


def data_dir() -> Path:
    """The data directory, whatever is wrong with other settings."""
    given = env_file.value_of(f"{PREFIX}DATA_DIR")
    return Path(given or Settings.model_fields["data_dir"].default)


def load_offer() -> Offer:
    """Read the settings that say which operations there are, and no other."""
    return _read(Offer)


def _read(kind: type[_Offer], options: Mapping[str, Any] | None = None) -> _Offer:
    try:
        env_file.check()
        return kind(**options or {})
    except ValidationError as error:
        raise CannotRun(faults.explain(error, PREFIX, Settings.model_fields, _SECRETS)) from None
    except UnicodeDecodeError:
        raise CannotRun(
            f"{env_file.FILE} is not UTF-8 text; write it anew, one NAME=value a line"
        ) from None


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """One line for each `PLUGIN_` name here or in `.env` that is no setting; what was meant."""
    names = {*environment, *dotenv_values(env_file.FILE)}
    given = (name for name in sorted(names) if name.upper().startswith(PREFIX))
    known = Settings.model_fields.keys() | _OF_COMMANDS
    return [
        faults.unknown(name, PREFIX, Settings.model_fields)
        for name in given
        if _field(name) not in known
    ]


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _field(name: str) -> str:
    return name[len(PREFIX) :].lower()

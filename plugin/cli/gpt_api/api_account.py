"""Which address a call of the GPT API goes to, and with which key: options, environment, file."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from plugin.errors import CannotRun
from plugin.masking import masked_address

_OFTEN_USED = "http://127.0.0.1:8000"
_DATA = Path("data")
_FIRST_KEY = "first-key"
_CONFIG = "~/.openai/config"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Account:
    """An address without a slash at its end, a key, where that is from, and what to warn of."""

    base_url: str
    key: str | None = field(repr=False)
    source: str
    warning: str = ""


def find(
    key: str | None, base_url: str | None, environment: Mapping[str, str] = os.environ
) -> Account:
    """What was given, else the environment, else `~/.openai/config`, else the service here."""
    config = _Config(Path(os.path.expanduser(_CONFIG)))  # noqa: PTH111 - does not fail without HOME
    addresses = (
        base_url,
        environment.get("OPENAI_BASE_URL"),
        environment.get("OPENAI_API_BASE"),
        config.get("base_url", "api_base"),
    )
    named = next((one.strip() for one in addresses if one and one.strip()), None)
    address = _checked(named) if named else None
    for found, source in (
        (key, "--key"),
        (environment.get("OPENAI_API_KEY"), "OPENAI_API_KEY"),
        (config.get("api_key"), _CONFIG),
    ):
        if found and found.strip():
            warning = config.warning if source == _CONFIG else ""
            address = address or _service_here(environment)[0]
            return Account(address, _sendable(found.strip(), source), source, warning)
    here, data = _service_here(environment)
    # The first key opens this service alone, so no other address gets to see it.
    file = data / _FIRST_KEY if address is None or _same(address, here) else None
    kept = _kept(file) if file else None
    return Account(address or here, kept, str(file) if kept else "")


class _Config:
    """`~/.openai/config`: an ini file with `api_key` and `base_url` below `[default]`."""

    def __init__(self, path: Path) -> None:
        from configparser import ConfigParser, Error

        self._path = path
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, UnicodeDecodeError, Error) as error:
            # What the parser says repeats the line, which can hold the key.
            raise CannotRun(
                f"{_CONFIG} cannot be read ({type(error).__name__}); write [default] on one line "
                "and api_key = … on the next, or remove it"
            ) from None
        self._values = dict(parser["default"]) if parser.has_section("default") else {}

    def get(self, *names: str) -> str | None:
        """The first of the names that is there."""
        return next((self._values[name] for name in names if name in self._values), None)

    @property
    def warning(self) -> str:
        """What is wrong with who can read it; nothing where that cannot be told."""
        if os.name == "posix" and self._path.stat().st_mode & _OTHERS:
            return f"{_CONFIG} holds a key and others can read it; run chmod 600 {_CONFIG}"
        return ""


def _service_here(environment: Mapping[str, str]) -> tuple[str, Path]:
    """The address and the data of the service that `plugin up` starts in this directory."""
    # Reading the settings takes as long as all the rest, and mostly there are none.
    if Path(".env").exists() or any(name.upper().startswith("PLUGIN_") for name in environment):
        from plugin.settings import load

        settings = load()
        return f"{settings.base_url}/v1", settings.data_dir
    return f"{_OFTEN_USED}/v1", _DATA


def _kept(file: Path) -> str | None:
    try:
        return _sendable(file.read_text("ascii").strip(), str(file)) or None
    except (OSError, UnicodeDecodeError):
        return None


def _checked(address: str) -> str:
    try:
        parts = urlsplit(address)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or not address.isascii() or " " in address:
        raise CannotRun(
            f"{masked_address(address)!r} is no address of a service; give --base-url or "
            f"OPENAI_BASE_URL one like {_OFTEN_USED}/v1"
        )
    if parts.username is not None:
        raise CannotRun("an address holds no user name or password; give the key with --key")
    return address.rstrip("/")


def _same(one: str, other: str) -> bool:
    local = "http://localhost:"
    return one == other or one.replace(local, "http://127.0.0.1:", 1) == other


def _sendable(key: str, source: str) -> str:
    # The guide's own "你的_API_KEY", pasted as it is, is no header.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise CannotRun(
            f"what {source} holds is no key; put a real one there: `plugin up` shows the first, "
            "`plugin keys create --name NAME` makes one"
        )
    return key

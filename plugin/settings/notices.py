"""What an operator should know of settings that are allowed: at a start and at a reload."""

from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from plugin.settings import PREFIX, Settings, unknown_names
from plugin.settings.env_file import FILE, values

FIXED = ("host", "port", "data_dir")
"""The settings that hold from a start to a stop."""


def warnings(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Return a line for each name that is no setting, and for each address with a password."""
    return [*unknown_names(environment), *_with_user(settings)]


def without_effect(
    read: Settings,
    asked: Settings,
    before: Mapping[str, str],
    environment: Mapping[str, str],
    options: Collection[str],
) -> list[str]:
    """Return a line for each change that a reload does not bring.

    `read` are the settings now, `asked` those of the start; `before` is what `.env` held then (see
    `env_file.values`), `options` the settings that the command line of the service gives.
    """
    fixed = [
        f"{PREFIX}{name.upper()} has changed. That takes effect after a stop and a start."
        for name in FIXED
        if getattr(read, name) != getattr(asked, name)
    ]
    here = {name.upper() for name in environment}
    changed = [name for name, value in sorted(values().items()) if before.get(name) != value]
    return [
        *fixed,
        *(line for name in changed for line in _overridden(name, here, options)),
    ]


def _overridden(name: str, here: Collection[str], options: Collection[str]) -> Iterator[str]:
    field = name.removeprefix(PREFIX).lower()
    if field not in Settings.model_fields or field in FIXED:
        return
    by = "it in its environment" if name in here else None
    by = f"the option --{field}" if field in options else by
    if by is not None:
        yield f"{name} in {FILE} has no effect, because the service was started with {by}."


def _with_user(settings: Settings) -> Iterator[str]:
    used = {
        "public_url": "Callers are not told it. Remove it.",
        "weather_forecast_url": "Requests are not sent with one. Remove it.",
        "weather_geocoding_url": "Requests are not sent with one. Remove it.",
    }
    for name, then in used.items():
        address = getattr(settings, name)
        if address and "@" in urlsplit(address).netloc:
            yield f"{PREFIX}{name.upper()} holds a user name or a password. {then}"

"""What is wrong with a setting, in one line that never shows a secret."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from plugin.masking import masked_address
from plugin.settings import env_file

NOT_YET = "not_yet"
"""The type of a fault in a value that a later version will accept."""


def explain(
    error: ValidationError,
    prefix: str,
    fields: Mapping[str, FieldInfo],
    secrets: Collection[str],
) -> str:
    """The first fault: which setting, where it stands, what is allowed."""
    fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0])
    secret = name in secrets
    given = "its value" if secret else repr(_shown(fault["input"]))
    setting = f"{prefix}{name.upper()}"
    wrong = f"{given} is not allowed{_place(fault, secret=secret)}"
    if fault["type"] == NOT_YET:
        wrong = fault["msg"]
    why = f"{wrong}; give {fields[name].description}"
    return f"{setting}{env_file.place_of(setting)}: {why}"


def unknown(name: str, prefix: str, known: Iterable[str]) -> str:
    """What is said of a name that is no setting."""
    near = difflib.get_close_matches(name[len(prefix) :].lower(), known, n=1)
    meant = f"; did you mean {prefix}{near[0].upper()}?" if near else ""
    return f"{name} is not a setting and is ignored{meant}"


def _shown(given: Any) -> Any:
    return masked_address(given) if isinstance(given, str) else given


def _place(fault: Mapping[str, Any], *, secret: bool) -> str:
    """Where in a structure the fault lies, and what it is; never what was given."""
    _, *where = fault["loc"]
    said = fault["msg"].removeprefix("Value error, ")
    if where:
        names = (f"item {part + 1}" if isinstance(part, int) else part for part in where)
        return f" ({', '.join(names)}: {said})"
    # what is written as JSON is hidden, so the text must say more
    return f" ({said})" if secret and fault["type"] == "value_error" else ""

"""What a caller perhaps meant: the valid value, or the known name, closest to what came."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from plugin.api.errors.schema_words import follow

Schema = Mapping[str, Any]

LONGEST_VALUE = 120
"""Characters of a value that are looked at, and shown."""

SAFE_INTEGER = 2**53
"""Beyond it, readers of JSON begin to round."""


def nearest_value(came: Any, schema: Schema, root: Schema) -> Any:
    """The valid value that was perhaps meant, or None."""
    for branch in [schema, *schema.get("anyOf", ())]:
        plain = follow(branch, root)
        if "enum" in plain or "const" in plain:
            near = nearest_choice(came, plain.get("enum", [plain.get("const")]))
        else:
            near = _converted(came, plain)
        if near is not None:
            return near
    return None


def closest_name(name: str, known: Sequence[str]) -> str | None:
    """The known name that was perhaps meant, or None."""
    plain = {re.sub(r"[\W_]", "", word).casefold(): word for word in known}
    wanted = re.sub(r"[\W_]", "", name[:LONGEST_VALUE]).casefold()
    near = difflib.get_close_matches(wanted, plain, 1, 0.6)
    return plain[near[0]] if near else None


def nearest_choice(came: Any, choices: Sequence[Any]) -> Any:
    """The choice that was perhaps meant, or None."""
    if not isinstance(came, str):
        return next((choice for choice in choices if str(choice) == str(came)), None)
    words = {str(choice).casefold(): choice for choice in choices}
    near = difflib.get_close_matches(came[:LONGEST_VALUE].casefold().strip(), words, 1, 0.5)
    return words[near[0]] if near else None


def _converted(came: Any, schema: Schema) -> Any:
    match schema.get("type"):
        case "integer" | "number" as kind:
            return _number(came, schema, whole=kind == "integer")
        case "boolean":
            return {"true": True, "false": False}.get(str(came).casefold())
        case "array" | "object" as kind if isinstance(came, str):
            return parsed(came, list if kind == "array" else dict)
        case "string" if "format" not in schema and type(came) in {int, float}:
            return str(came)
    return None


def _number(came: Any, schema: Schema, *, whole: bool) -> float | None:
    if isinstance(came, bool):
        return None
    try:
        value = float(came)
        near: float = round(value) if whole else value
    except (TypeError, ValueError, OverflowError):
        return None
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and near < least:
        near = least
    if most is not None and near > most:
        near = most
    is_news = near != came or isinstance(came, str)
    return near if is_news and abs(near) <= SAFE_INTEGER else None


def parsed(text: str, kind: type) -> Any:
    """The JSON that a text holds where it is of that kind, else None."""
    try:
        value = json.loads(text[:LONGEST_VALUE])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, kind) else None

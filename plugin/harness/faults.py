"""The ways a call can be wrong, and how a value of the wrong type or outside an enum is named."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson


class FaultKind(StrEnum):
    """One taxonomy for every door; docs/harness.md explains each with an example."""

    NOT_JSON = "not_json"
    UNKNOWN_FUNCTION = "unknown_function"
    NEAR_MISS_KEY = "near_miss_key"
    MISSING_REQUIRED = "missing_required"
    UNKNOWN_KEY = "unknown_key"
    STRING_FOR_ARRAY = "string_for_array"
    NULL_FOR_OPTIONAL = "null_for_optional"
    BOOL_AS_STRING = "bool_as_string"
    NUMBER_AS_STRING = "number_as_string"
    WORD_FOR_NUMBER = "word_for_number"
    WRONG_TYPE = "wrong_type"
    ENUM_CASE = "enum_case"
    ENUM_INVENTED = "enum_invented"
    CONSTRAINT = "constraint"
    DUPLICATE_PARALLEL = "duplicate_parallel"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong with a call: where (a pointer into its arguments), what, how to mend it.

    `meant` is the key or the value that was written in other letters, where only one can be it.
    """

    pointer: str
    fault: FaultKind
    message: str
    meant: str | None = field(default=None, compare=False)


# Digits with separators between them, as people and models write them: 1,000  1_000  12.50  -3e5
_NUMBER = re.compile(r"[+-]?(\d([\d,_' ]*\d)?(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_NOT_TEXT = re.compile(r"[\W_]+")


def for_wrong_type(value: Any, types: list[str]) -> FaultKind:
    """What it is called when `value` is of none of `types`."""
    if not isinstance(value, str):
        return FaultKind.WRONG_TYPE
    reads_as_number = bool(_NUMBER.fullmatch(value.strip()))
    numeric = "integer" in types or "number" in types
    if numeric and reads_as_number:
        return FaultKind.NUMBER_AS_STRING
    if "boolean" in types and (not numeric or value.strip().casefold() in ("true", "false")):
        return FaultKind.BOOL_AS_STRING
    if "array" in types:
        return FaultKind.STRING_FOR_ARRAY
    return FaultKind.WORD_FOR_NUMBER if numeric else FaultKind.WRONG_TYPE


def for_outside_enum(value: Any, allowed: list[Any]) -> tuple[FaultKind, Any]:
    """What it is called when `value` is none of `allowed`, and the allowed value nearest to it."""
    same = next((known for known in allowed if alike(value, known)), None)
    if same is not None:
        return FaultKind.ENUM_CASE, same
    return FaultKind.ENUM_INVENTED, None


def only_alike(text: Any, known: Iterable[Any]) -> str | None:
    """The one known text that is alike; None where there is none, or where several are."""
    found = [one for one in known if alike(text, one)]
    return found[0] if len(found) == 1 else None


def alike(one: Any, other: Any) -> bool:
    """Whether two texts are equal but for case, white space and punctuation."""
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    folded = _fold(one)
    # Where nothing but punctuation is left ("+", "-"), punctuation is what tells values apart.
    return folded == _fold(other) if folded else one.strip() == other.strip()


def _fold(value: str) -> str:
    return _NOT_TEXT.sub("", value).casefold()


def shown(value: Any, limit: int = 60) -> str:
    """A value as JSON for a message, shortened."""
    try:
        text = orjson.dumps(value).decode()
    except (TypeError, ValueError):  # lone surrogates, integers beyond 64 bits
        text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"

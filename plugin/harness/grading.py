"""How a service refused a wrong call: whether, without side effect, in words that can be acted on.

A model mends its call from the text of the refusal alone. So the text has to name the argument and
say what was expected of it; a valid value beside it makes the second try sure.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Literal

from plugin.contract.pointer import MISSING, steps
from plugin.harness.argument_schema import types_of
from plugin.harness.exchange import Response
from plugin.harness.faults import FaultKind
from plugin.harness.json_text import NotJson, dumps, loads
from plugin.harness.mutate import Mutation

_LONGEST = 100_000

_OF_ARGUMENTS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses that refuse what was sent; 404 or 409 are about what the service holds."""

_WORDS = {
    "integer": ("integer", "whole number", "int"),
    "number": ("number", "float", "decimal", "numeric"),
    "boolean": ("boolean", "bool", "true or false"),
    "string": ("string", "text", "str"),
    "array": ("array", "list"),
    "object": ("object", "dict", "dictionary", "mapping"),
    "null": (),
}
"""How services say the types."""

_PLAIN_WORDS = {
    FaultKind.NOT_JSON: ("json",),
    FaultKind.MISSING_REQUIRED: ("required", "missing"),
    FaultKind.NULL_FOR_OPTIONAL: ("omit", "leave", "not null", "not be null", "not nullable"),
}
_OF_THE_ERROR = frozenset(
    {
        *("type", "title", "status", "detail", "instance", "code", "message", "msg", "error"),
        *("input", "loc", "pointer", "argument", "expected", "got", "nearest", "request_id"),
    }
)
"""Keys of an answer that name its own parts; arguments of those names have to be told otherwise."""

_SAME_TWICE = ("unique", "duplicate", "duplicates", "differ", "distinct", "repeated")

SideEffect = Literal["none", "changed", "unknown"]


class Refusal(StrEnum):
    """What became of a mistake."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    FAILED = "failed"
    REPAIRED = "repaired"
    NOT_SENT = "not_sent"
    NOT_EXPRESSIBLE = "not_expressible"
    BY_HARNESS = "by_harness"


_IN_WORDS = {
    Refusal.REFUSED: "the service refused the mistake",
    Refusal.ACCEPTED: "the service did not refuse the mistake",
    Refusal.FAILED: "the service failed instead of refusing the mistake",
    Refusal.REPAIRED: "the mistake was repaired before it was sent",
    Refusal.NOT_SENT: "the mistake was not sent",
    Refusal.NOT_EXPRESSIBLE: "the mistake has no way to the service",
    Refusal.BY_HARNESS: "the harness alone can see the mistake",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """What the text of a refusal tells a model."""

    names_argument: bool
    says_expected: bool
    gives_example: bool

    @property
    def can_be_acted_on(self) -> bool:
        """Whether the next call can be right."""
        return self.names_argument and self.says_expected


@dataclass(frozen=True, slots=True)
class Grade:
    """How a mistake was met. `side_effect` and `wording` are None where nothing was answered."""

    refusal: Refusal
    side_effect: SideEffect | None = None
    wording: Wording | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing is to be mended here."""
        if self.refusal in (Refusal.ACCEPTED, Refusal.FAILED) or self.side_effect == "changed":
            return False
        return self.wording is None or self.wording.can_be_acted_on

    @property
    def in_words(self) -> str:
        """What is to be said of it."""
        if self.side_effect == "changed":
            return "what the service holds has changed"
        if self.wording is None:
            return _IN_WORDS[self.refusal]
        gaps = [] if self.wording.names_argument else ["name the argument"]
        gaps += [] if self.wording.says_expected else ["say what was expected"]
        return f"its text does not {' or '.join(gaps)}" if gaps else "its text can be acted on"


def refusal_of(response: Response, wording: Wording, *, in_path: bool) -> Refusal:
    """Whether an answer refuses a mistake.

    A service that answers 404 has not looked at the mistake, unless that stood in the path or the
    text speaks of it.
    """
    status = response.status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Refusal.FAILED
    if status < HTTPStatus.BAD_REQUEST:
        return Refusal.ACCEPTED
    if status in _OF_ARGUMENTS or in_path or wording.can_be_acted_on:
        return Refusal.REFUSED
    return Refusal.ACCEPTED


def wording_of(response: Response, mutation: Mutation) -> Wording:
    """What the text of an answer says of a mistake."""
    text = _text(response)
    names = _holds(text, _names(mutation))
    return Wording(names, _holds(text, _expected(mutation)), _holds(text, _examples(mutation)))


def _text(response: Response) -> str:
    """The words of an answer, as a reader of its JSON sees them: without quotes and escapes."""
    body = response.body[:_LONGEST].decode("utf-8", "replace")
    try:
        value = loads(body)
    except NotJson:
        return body.casefold()
    return "\n".join(_pieces(value)).casefold()


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _OF_THE_ERROR or isinstance(item, dict | list):
                yield key
            yield from _pieces(item)
    elif isinstance(value, list):
        for item in value:
            yield from _pieces(item)
    else:
        yield value if isinstance(value, str) else _written(value)


def _holds(text: str, words: Iterable[str]) -> bool:
    return any(_is_in(word.casefold(), text) for word in words)


def _is_in(word: str, text: str) -> bool:
    """Whether a word stands in a text, not as a part of a longer one."""
    return bool(word) and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _names(mutation: Mutation) -> Iterator[str]:
    """What the argument may be called: the nearest key; of a whole body, the body."""
    keys = [step for step in steps(mutation.pointer) if not step.isdecimal()]
    if keys:
        yield keys[-1]
    else:
        yield from ("body", "arguments", "json")


def _expected(mutation: Mutation) -> Iterator[str]:
    """Words of which one at least is in a text that says what was expected."""
    kind = mutation.expect
    yield from _PLAIN_WORDS.get(kind, ())
    if kind is FaultKind.NEAR_MISS_KEY:
        yield str(mutation.meant)
    elif kind is FaultKind.UNKNOWN_KEY:
        known = [key for schema in mutation.schemas for key in schema.get("properties", ())]
        yield from known or ("none", "no arguments", "unexpected", "not allowed", "not permitted")
    elif kind is FaultKind.CONSTRAINT:
        yield from _limits(mutation)
    else:
        yield from _choices(mutation)
        for schema in mutation.schemas:
            for name in types_of(schema):
                yield from _WORDS.get(name, ())


def _limits(mutation: Mutation) -> Iterator[str]:
    for schema in mutation.schemas:
        limit = schema.get(mutation.variety)
        if isinstance(limit, bool):
            yield from _SAME_TWICE
        elif limit is not None:
            yield limit if isinstance(limit, str) else _written(limit)


def _choices(mutation: Mutation) -> Iterator[str]:
    for schema in mutation.schemas:
        for known in [schema["const"]] if "const" in schema else schema.get("enum", ()):
            yield known if isinstance(known, str) else _written(known)


def _examples(mutation: Mutation) -> Iterator[str]:
    """Values that would have been right, and the key that was meant."""
    yield from _choices(mutation)
    meant = mutation.meant
    if isinstance(meant, str):
        yield meant
    elif meant is not MISSING and meant is not None:
        yield _written(meant)


def _written(value: Any) -> str:
    return dumps(value).decode()

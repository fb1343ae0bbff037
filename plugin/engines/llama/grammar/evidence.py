"""A tool's parameters narrowed to what the request says, so that a small model only has to choose.

What is narrowed stays valid: every value that is offered has been checked against its parameter.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plugin.contract.operation import Schema
from plugin.engines.llama.grammar.schema_form import Form
from plugin.engines.llama.grammar.schema_kinds import types_of
from plugin.engines.llama.words import chinese as chinese_words
from plugin.engines.llama.words import message as message_words
from plugin.engines.llama.words import spans as message_spans

_DAYS = frozenset(
    """
    today tomorrow yesterday tonight monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december
    """.split()  # noqa: SIM905 - so many read best as words
)
_ROLES = (
    (
        frozenset(["from", "origin", "departure", "pickup", "start", "source", "sender"]),
        frozenset(["from"]),
    ),
    (
        frozenset(
            ["to", "destination", "arrival", "target", "recipient", "receiver", "dropoff", "end"]
        ),
        frozenset(["to", "into"]),
    ),
    (
        frozenset(["subject", "topic", "about", "query"]),
        frozenset(["about", "on", "for", "subject", "of"]),
    ),
)
"""Words of a parameter, and those after which its value stands in a request."""

_DEEP = ("$ref", "allOf", "anyOf", "oneOf", "if", "not", "dependentRequired", "dependentSchemas")


def narrowed(form: Form, message: str, asking: str) -> Form:
    """The parameters with the values that `message` offers; `asking` is the tool's name in words.

    Parameters that can be left out and that the message says nothing about are taken out.
    """
    root = form.root
    if not isinstance(root, dict) or any(key in root for key in _DEEP):
        return form
    declared = root.get("properties")
    if not declared:
        return form
    return form.with_root(_Narrowing(form, message, asking).root(root, declared))


class _Narrowing:
    def __init__(self, form: Form, message: str, asking: str) -> None:
        self._form = form
        self._message = message
        self._asking = asking
        self._numbers = message_words.numbers(message)
        self._cjk = message_words.is_cjk(message)
        self._said = message_words.content_words(message)
        self._enums: dict[tuple[str, ...], list[str]] = {}

    def root(self, root: dict[str, Any], declared: Mapping[str, Schema]) -> dict[str, Any]:
        """The object with what is left of its properties."""
        required = list(root.get("required", ()))
        needed = {name for name in required if not _nullable(declared.get(name))}
        found: dict[str, Schema] = {}
        given: list[str] = []
        for name in [
            *(n for n in declared if n in needed),
            *(n for n in declared if n not in needed),
        ]:
            values = self._values(name, declared[name], declared)
            if name in needed:
                found[name] = {"enum": values} if values else declared[name]
            elif values:
                found[name] = {"enum": values}
                given.append(name)
            elif values is None and self._speaks_of(name, declared[name]):
                found[name] = declared[name]
                given += [name] if _is_flag(declared[name]) else []
            elif name in required:
                found[name] = {"enum": [None]}
        ordered = {name: found[name] for name in declared if name in found}
        return {**root, "properties": ordered, "required": list(dict.fromkeys([*required, *given]))}

    def _values(
        self, name: str, schema: Schema, declared: Mapping[str, Schema]
    ) -> list[Any] | None:
        """The values that the message offers; none if it has none, None if it cannot be said."""
        if not isinstance(schema, dict) or "$ref" in schema:
            return None
        if "enum" in schema:
            return self._of_enum(name, schema, declared)
        types = [kind for kind in types_of(schema) if kind != "null"]
        if len(types) != 1 or any(key in schema for key in _DEEP):
            return None
        if types[0] in ("integer", "number"):
            return self._taken(name, schema, declared)
        if types[0] == "string":
            offered = self._texts(name, schema)
            return offered if offered is None else self._accepted(schema, offered)
        return None

    def _accepted(self, schema: Schema, values: Sequence[Any]) -> list[Any]:
        return [value for value in values if self._form.accepts(schema, value)]

    def _of_enum(
        self, name: str, schema: dict[str, Any], declared: Mapping[str, Schema]
    ) -> list[Any]:
        """Values that are named; parameters of the same values get them in the message's order."""
        values = [value for value in schema["enum"] if isinstance(value, str) and value]
        found = message_words.named(self._message, iter(values))
        found = self._accepted(schema, found)
        alike = [
            other
            for other, part in declared.items()
            if isinstance(part, dict) and part.get("enum") == schema["enum"]
        ]
        if len(alike) == len(found) > 1:
            return [found[alike.index(name)]]
        return found

    def _taken(
        self, name: str, schema: dict[str, Any], declared: Mapping[str, Schema]
    ) -> list[Any]:
        """Numbers of the message, each for one parameter where there are as many of both."""
        fitting = self._accepted(schema, self._numbers)
        numeric = [
            other
            for other, part in declared.items()
            if isinstance(part, dict)
            and {"integer", "number"} & set(types_of(part))
            and "type" in part
        ]
        if len(numeric) == len(self._numbers) == len(fitting) > 1:
            return [self._numbers[numeric.index(name)]]
        return list(dict.fromkeys(fitting))

    def _texts(self, name: str, schema: dict[str, Any]) -> list[str] | None:
        """Texts of the message for a parameter; None where they would have to be made up."""
        about = f"{name} {schema.get('description', '')}".lower()
        of_form = list(self._of_form(str(schema.get("format")), about))
        if of_form or "format" in schema:
            return of_form
        if self._optional(name) and not self._speaks_of(name, schema):
            return []
        free = self._free_message()
        if self._cjk:
            spoken = chinese_words.pairs(f"{self._asking} {about}")
            return chinese_words.values(free, spoken) or None
        offered = message_spans.spans(free, frozenset(message_words.words_of(self._asking)))
        for roles, joints in _ROLES:
            if roles & set(message_words.words_of(about)):
                offered = message_spans.after(free, joints, offered) or offered
                break
        return offered or None

    def _free_message(self) -> str:
        """The message without what parameters of another kind take from it."""
        root = self._form.root
        declared = root.get("properties", {}) if isinstance(root, dict) else {}
        parts = [part for part in declared.values() if isinstance(part, dict)]
        listed = [value for part in parts for value in part.get("enum", ())]
        texts = (value for value in listed if isinstance(value, str) and value)
        taken = message_words.named(self._message, texts)
        kinds = [kind for kind in ("date", "time", "email") if _has_format(parts, kind)]
        return message_spans.without(self._message, taken, kinds)

    def _of_form(self, form: str, about: str) -> Iterator[str]:
        if form in ("date", "date-time") or "yyyy-mm-dd" in about:
            yield from message_words.dates(self._message)
        elif form == "time" or ("time" in about and "timezone" not in about) or "时间" in about:
            yield from message_words.times(self._message)
        elif "email" in about or form == "email":
            yield from message_words.addresses(self._message, "email")
        elif "url" in about or form in ("uri", "url"):
            yield from message_words.addresses(self._message, "url")

    def _optional(self, name: str) -> bool:
        root = self._form.root
        if not isinstance(root, dict) or name not in root.get("required", ()):
            return True
        return _nullable(root["properties"][name])

    def _speaks_of(self, name: str, schema: Schema) -> bool:
        """Whether the message has a word of a parameter's name, or a day for a date."""
        about = str(schema.get("description", "")) if isinstance(schema, dict) else ""
        words = message_words.content_words(f"{name} {about}")
        if self._cjk:
            return bool(chinese_words.pairs(about) & chinese_words.pairs(self._message))
        if {"date", "day"} & words and _DAYS & set(message_words.words_of(self._message)):
            return True
        return bool(message_words.content_words(name) & self._said)


def _is_flag(schema: Schema) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "boolean"


def _has_format(schemas: Sequence[Mapping[str, Any]], kind: str) -> bool:
    return any(schema.get("format") == kind for schema in schemas)


def _nullable(schema: Schema | None) -> bool:
    return (
        isinstance(schema, dict)
        and isinstance(schema.get("type"), list)
        and ("null" in schema["type"])
    )

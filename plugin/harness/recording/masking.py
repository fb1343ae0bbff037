"""Masks secrets and personal data in recordings, so that a call still fits its schema as before.

Nothing is masked that a tool's schema lists (`enum`, `const`): its values are the document's, and
public. Masked values are equal where the originals were, and differ where those did.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from plugin.harness.fitting import Fits, Path, Schema
from plugin.harness.json_text import NotJson, dumps, loads
from plugin.harness.recording.placeholders import Numbers, Placeholders, nearest
from plugin.harness.recording.sensitive import Kind, Span, find, is_card, is_secret_key, kind_of_key

_SCHEMAS = frozenset(
    {"parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema"}
)
_VERBATIM = frozenset({"enum", "const", "pattern", "required", "type", "format", "$ref", "$id"})
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties"})


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A text or number to mask, where it stands, and which of its signs."""

    path: Path
    value: Any
    spans: list[Span]
    kind: Kind


class Masker:
    """Masks values, texts and calls; one recording has one masker. `addresses`: IPs as well."""

    def __init__(self, *, addresses: bool = False) -> None:
        self._addresses = addresses
        self._placeholders = Placeholders(Numbers())

    def text(self, text: str) -> str:
        """A text with what is secret or personal in it replaced."""
        spans = find(text, addresses=self._addresses)
        return next(self._placeholders.texts(text, spans)) if spans else text

    def value(self, value: Any) -> Any:
        """A JSON value, masked. Values of no schema: texts by shape, the rest by their key."""
        return self._keys(self._masked(value, list(self._leaves(value, (), None))))

    def arguments(self, schema: Schema | None, arguments: Any) -> Any:
        """The arguments of a call: with the same faults by the tool's schema as before."""
        if schema is None:
            return self.value(arguments)
        leaves = [
            leaf
            for leaf in self._leaves(arguments, (), None)
            if not schema.lists(leaf.path, leaf.value)
        ]
        masked = self._keys(self._masked(arguments, leaves))
        if masked == arguments:
            return arguments
        fits = Fits(schema, arguments)
        return masked if fits(masked) else self._fitted(arguments, leaves, fits)

    def arguments_text(self, schema: Schema | None, text: str) -> str:
        """Arguments as models write them, in a text; one that is no JSON stays none."""
        try:
            arguments = loads(text)
        except NotJson:
            return self.text(text)
        masked = self.arguments(schema, arguments)
        return text if masked == arguments else dumps(masked).decode()

    def tools(self, tools: Any) -> Any:
        """Declared tools: credentials in them are masked; what their schemas promise is not."""
        if isinstance(tools, list):
            return [self.tools(tool) for tool in tools]
        if not isinstance(tools, dict):
            return self.value(tools)
        return {key: self._tool_part(key, part) for key, part in tools.items()}

    def _tool_part(self, key: str, part: Any) -> Any:
        if key in _SCHEMAS:
            return self._schema(part)
        if key in ("function", "tools", "functionDeclarations", "function_declarations"):
            return self.tools(part)
        return self.value({key: part})[key]

    def _schema(self, schema: Any, *, secret: bool = False) -> Any:
        """A schema: its words are masked as text, an example of a secret as a secret."""
        if isinstance(schema, list):
            return [self._schema(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        masked = {}
        for key, part in schema.items():
            if key in _VERBATIM:
                masked[key] = part
            elif key in _NAMED_SCHEMAS and isinstance(part, dict):
                masked[key] = {
                    name: self._schema(one, secret=is_secret_key(name))
                    for name, one in part.items()
                }
            elif key in ("default", "example", "examples"):
                listed = part in (schema.get("enum") or ()) or not secret
                masked[key] = self.value(part) if listed else self.value({"secret": part})["secret"]
            elif isinstance(part, str):
                masked[key] = self.text(part)
            else:
                masked[key] = self._schema(part)
        return masked

    def _masked(self, value: Any, leaves: list[_Leaf]) -> Any:
        if not leaves:
            return value
        copy = _Copy(value)
        for leaf in leaves:
            copy.put(leaf.path, next(self._candidates(leaf)))
        return copy.value

    def _fitted(self, arguments: Any, leaves: list[_Leaf], fits: Fits) -> Any:
        """Masked one by one, each with what the schema admits in its place."""
        copy = _Copy(arguments)
        for leaf in leaves:

            def fits_there(candidate: Any, at: Path = leaf.path) -> bool:
                copy.put(at, candidate)
                return fits(copy.value)

            candidates = list(self._candidates(leaf))
            found = next(filter(fits_there, candidates), None)
            if found is None and isinstance(leaf.value, str):
                found = nearest(leaf.value, candidates[-1], leaf.spans, fits_there)
            copy.put(leaf.path, candidates[0] if found is None else found)
        return self._keys(copy.value)

    def _keys(self, value: Any) -> Any:
        """The value with its keys masked as texts: an address may be a key as well."""
        if isinstance(value, list):
            return [self._keys(part) for part in value]
        if isinstance(value, dict):
            return {self.text(key): self._keys(part) for key, part in value.items()}
        return value

    def _candidates(self, leaf: _Leaf) -> Iterator[Any]:
        if isinstance(leaf.value, str):
            return self._placeholders.texts(leaf.value, leaf.spans)
        return self._placeholders.numbers(leaf.value, leaf.kind)

    def _leaves(self, value: Any, path: Path, key: str | None) -> Iterator[_Leaf]:
        """What has to be masked in a value. `key` is the name of what holds it."""
        match value:
            case dict():
                for name, part in value.items():
                    yield from self._leaves(part, (*path, name), _holder(value, name, key))
            case list():
                for index, part in enumerate(value):
                    yield from self._leaves(part, (*path, index), key)
            case str() if spans := self._spans(value, key):
                yield _Leaf(path, value, spans, spans[0].kind)
            case bool():
                return
            case int() | float() if kind := _kind_of_number(value, key):
                yield _Leaf(path, value, [], kind)

    def _spans(self, text: str, key: str | None) -> list[Span]:
        if not text:
            return []
        if key is not None and is_secret_key(key):
            return [Span(0, len(text), Kind.SECRET)]
        spans = find(text, addresses=self._addresses)
        if not spans and key is not None and (kind := kind_of_key(key, text)):
            return [Span(0, len(text), kind)]
        return spans


def _kind_of_number(value: float, key: str | None) -> Kind | None:
    if key is not None and is_secret_key(key):
        return Kind.SECRET
    if not isinstance(value, int):
        return None
    if is_card(str(value)):
        return Kind.CARD
    return kind_of_key(key, str(value)) if key is not None else None


def _holder(value: dict[str, Any], name: str, outer: str | None) -> str | None:
    """The key that says what a member is: all that lies under a secret key is secret."""
    if "logprob" in value:  # the token of a text, beside its probability
        return None
    return outer if outer is not None and is_secret_key(outer) else name


class _Copy:
    """A copy of a JSON value whose parts can be replaced."""

    def __init__(self, value: Any) -> None:
        self._held = [deepcopy(value)]

    @property
    def value(self) -> Any:
        return self._held[0]

    def put(self, path: Path, part: Any) -> None:
        *way, last = (0, *path)
        place: Any = self._held
        for step in way:
            place = place[step]
        place[last] = part

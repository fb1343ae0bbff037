"""An HTTP request back into the call that it carries: which operation, with which arguments.

The inverse of `contract.requests.build`. What the contract does not know is kept, so that a judge
sees what a model invented: an unknown query parameter is an unknown argument.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from plugin.contract.operation import Operation, Parameter, Schema
from plugin.contract.schema.validation import resolve
from plugin.harness import fitting
from plugin.harness.formats.format import mapping
from plugin.harness.json_text import NotJson, loads

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_INTEGER = re.compile(r"-?\d{1,4000}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_DEEPEST = 20


class Arrivals:
    """Finds the operation that a request is for; `servers` say under which paths they may lie."""

    def __init__(self, operations: Mapping[str, Operation], servers: Sequence[str] = ()) -> None:
        found = [_Template(name, operation, servers) for name, operation in operations.items()]
        # Of two templates that fit, the one with more text of its own is meant.
        self._templates = sorted(found, key=lambda one: one.vagueness)

    def find(self, scope: MutableMapping[str, Any]) -> "Arrival | None":
        """The call that an ASGI request carries, or None where no operation is meant."""
        method = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("ascii", "replace").partition("?")[0]
        path = path.removeprefix(scope.get("root_path", ""))
        for template in self._templates:
            if template.operation.method == method:
                values = template.match(path)
                if values is not None:
                    return template.arrival(values, scope)
        return None


class _Template:
    """A path of the contract, as an expression that its requests match."""

    def __init__(self, name: str, operation: Operation, servers: Sequence[str]) -> None:
        self.name = name
        self.operation = operation
        pieces = _PLACEHOLDER.split(operation.path.partition("?")[0])
        self._names = pieces[1::2]
        self.vagueness = (len(self._names), -sum(map(len, pieces[::2])))
        text = "([^/]+)".join(map(re.escape, pieces[::2]))
        bases = {"", *(urlsplit(url).path.rstrip("/") for url in (*operation.servers, *servers))}
        under = "|".join(re.escape(base) for base in sorted(bases, key=len))
        self._expression = re.compile(f"(?:{under}){text}")

    @cached_property
    def schema(self) -> fitting.Schema:
        return fitting.Schema(self.name, self.operation.schema)

    def match(self, path: str) -> dict[str, str] | None:
        found = self._expression.fullmatch(path)
        return dict(zip(self._names, found.groups(), strict=True)) if found else None

    def arrival(self, values: dict[str, str], scope: MutableMapping[str, Any]) -> "Arrival":
        query = scope.get("query_string", b"").decode("latin-1")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        return Arrival(self.name, self.operation, self.schema, values, query, headers)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request for an operation; its body is still to come."""

    name: str
    operation: Operation
    schema: fitting.Schema
    path: Mapping[str, str]
    query: str
    headers: Mapping[str, str]

    def arguments(self, body: bytes) -> Any:
        """The arguments of the call; the body's text where that is no JSON."""
        carried = self._body(body)
        if not isinstance(carried, dict):
            return carried
        found = {}
        pairs = parse_qsl(self.query, keep_blank_values=True)
        for parameter in self.operation.parameters:
            value = self._parameter(parameter, pairs)
            if value is not None:
                found[parameter.argument] = value
        taken = {name for parameter in self.operation.parameters for name in _names(parameter)}
        invented = {name: value for name, value in pairs if name.partition("[")[0] not in taken}
        return {**found, **invented, **carried}

    def _parameter(self, parameter: Parameter, pairs: list[tuple[str, str]]) -> Any:
        match parameter.location:
            case "path":
                text = self.path.get(parameter.name)
                return None if text is None else self._of_text(parameter, unquote(text))
            case "query":
                return self._of_query(parameter, pairs)
            case "header":
                text = self.headers.get(parameter.name.lower())
                return None if text is None else self._of_text(parameter, text)
            case _:
                return None  # a cookie is a credential more often than an argument

    def _of_query(self, parameter: Parameter, pairs: list[tuple[str, str]]) -> Any:
        schema = self._schema(parameter.schema)
        if "object" in _types(schema) and parameter.media_type is None:
            return self._of_object(parameter, schema, pairs) or None
        texts = [value for name, value in pairs if name == parameter.name]
        if not texts:
            return None
        if "array" in _types(schema) and parameter.explode and parameter.media_type is None:
            return [self._typed(text, mapping(schema.get("items"))) for text in texts]
        return self._of_text(parameter, texts[-1])

    def _of_object(
        self, parameter: Parameter, schema: dict[str, Any], pairs: list[tuple[str, str]]
    ) -> dict[str, Any]:
        properties = mapping(schema.get("properties"))
        if parameter.style == "deepObject":
            inside = re.compile(re.escape(parameter.name) + r"\[([^\[\]]+)\]")
            found = [(inside.fullmatch(name), value) for name, value in pairs]
            members = [(match[1], value) for match, value in found if match]
        elif parameter.explode:
            members = [(name, value) for name, value in pairs if name in properties]
        else:
            flat = next((value for name, value in pairs if name == parameter.name), "")
            pieces = flat.split(",") if flat else []
            members = list(zip(pieces[::2], pieces[1::2], strict=False))
        return {name: self._typed(value, mapping(properties.get(name))) for name, value in members}

    def _of_text(self, parameter: Parameter, text: str) -> Any:
        if parameter.media_type is not None:
            return _json_or_text(text)
        schema = self._schema(parameter.schema)
        if "array" in _types(schema):
            items = mapping(schema.get("items"))
            pieces = text.split(_SEPARATORS.get(parameter.style, ","))
            return [self._typed(piece, items) for piece in pieces]
        return self._typed(text, schema)

    def _typed(self, text: str, schema: Schema) -> Any:
        """The value that a text stands for: of the schema's type, else the text."""
        types = set(self._all_types(schema))
        if not types or "string" in types:
            return text
        if types & {"integer", "number"} and _INTEGER.fullmatch(text):
            return int(text)
        if "number" in types and _NUMBER.fullmatch(text):
            return float(text)
        if "boolean" in types and text in ("true", "false"):
            return text == "true"
        return text

    def _all_types(self, schema: Schema, depth: int = 0) -> Iterator[str]:
        if depth > _DEEPEST:
            return
        followed = self._schema(schema)
        yield from _types(followed)
        yield from (_type_of(value) for value in followed.get("enum") or ())
        for keyword in ("anyOf", "oneOf", "allOf"):
            for branch in followed.get(keyword) or ():
                yield from self._all_types(branch, depth + 1)

    def _schema(self, schema: Schema) -> dict[str, Any]:
        return mapping(resolve(schema, self.operation.schema))

    def _body(self, content: bytes) -> Any:
        body = self.operation.body
        if body is None or not content:
            return {}
        media_type = self.headers.get("content-type", body.media_type)
        if "x-www-form-urlencoded" in media_type:
            value: Any = self._form(content)
        elif "json" in media_type:
            try:
                value = loads(content)
            except NotJson:
                return content.decode("utf-8", "replace")
        else:
            value = content.decode("utf-8", "replace")
        return value if body.flat else {body.argument: value}

    def _form(self, content: bytes) -> dict[str, Any]:
        pairs = parse_qsl(content.decode("latin-1"), keep_blank_values=True)
        properties = mapping(self.operation.schema.get("properties"))
        return {name: self._typed(text, mapping(properties.get(name))) for name, text in pairs}


def _names(parameter: Parameter) -> Iterator[str]:
    """The names under which a parameter may stand in a query."""
    if parameter.location == "query":
        yield parameter.name
        yield from mapping(mapping(parameter.schema).get("properties"))


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    types = schema.get("type")
    return tuple(types) if isinstance(types, list) else (types,) if types else ()


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return "string"


def _json_or_text(text: str) -> Any:
    try:
        return loads(text)
    except NotJson:
        return text

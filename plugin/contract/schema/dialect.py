"""OpenAPI's schema dialects, 3.0 and 3.1, put into JSON Schema 2020-12.

Nothing here raises: a keyword whose value cannot be used is mended or left out, and noted, so that
one odd keyword never costs an operation.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from plugin.contract.operation import Note, Schema
from plugin.contract.pointer import child
from plugin.contract.schema import keywords
from plugin.contract.schema.patterns import compilable

_MAX_DEPTH = 64
"""Levels of inline nesting; deeper ones accept anything. Keeps later walks within the stack."""

_SHORT = 60
"""Characters of a value that a note repeats."""

_BESIDE_REFERENCE = frozenset(
    {"$ref", "description", "title", "default", "deprecated", "example", "nullable"}
)
"""What may stand beside a 3.0 `$ref`: the specification ignores it all, but nobody who writes
`nullable: true` there means it to be ignored, and words harm nothing."""

_COMPOSED = ("$ref", "allOf", "anyOf", "oneOf", "not", "const", "if")


class Links(Protocol):
    """What a translation asks about the rest of the document."""

    def link(self, reference: Any, base: str, pointer: str) -> str | None:
        """The reference to use in place of a document's; None where it leads nowhere."""

    def hides(self, node: dict[str, Any]) -> bool:
        """Whether a property is not asked for in this direction (`readOnly` in a request)."""


class Dialect:
    """Translates schema nodes. `loose_references` is 3.0's rule that `$ref` stands alone."""

    def __init__(self, links: Links, notes: list[Note], *, loose_references: bool) -> None:
        self._links = links
        self._notes = notes
        self._loose_references = loose_references
        self._depth = 0
        self._rules: Mapping[str, Callable[[dict[str, Any], str, Any, str, str], None]] = {
            **dict.fromkeys(keywords.VALUES, self._value),
            **dict.fromkeys(keywords.SCHEMA, self._schema),
            **dict.fromkeys(keywords.SCHEMAS, self._schemas),
            **dict.fromkeys(keywords.SCHEMA_MAP, self._schema_map),
            **dict.fromkeys(("$ref", "$dynamicRef"), self._reference),
        }

    def translate(self, node: Any, pointer: str, base: str = "") -> Schema:
        """A schema equal to `node` in 2020-12; `base` is the `$id` in force."""
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self._note(
                pointer, f"a schema is an object; {keywords.kind(node)} was read as anything"
            )
            return {}
        if self._depth >= _MAX_DEPTH:
            self._note(pointer, f"nested deeper than {_MAX_DEPTH} schemas; read as anything")
            return {}
        self._depth += 1
        try:
            return self._object(node, pointer, base)
        finally:
            self._depth -= 1

    def _object(self, node: dict[str, Any], pointer: str, base: str) -> Schema:
        identity = node.get("$id")
        if isinstance(identity, str):
            base = identity.rstrip("#")
        if self._loose_references and isinstance(node.get("$ref"), str):
            node = {key: node[key] for key in node if key in _BESIDE_REFERENCE}
        found: dict[str, Any] = {}
        for keyword, value in node.items():
            rule = self._rules.get(keyword)
            if rule is not None:
                rule(found, keyword, value, pointer, base)
        if isinstance(found.get("properties"), dict):
            self._requirements(node["properties"], found, pointer)
        _settle(found)
        return found

    def _value(
        self, found: dict[str, Any], keyword: str, value: Any, pointer: str, _base: str
    ) -> None:
        try:
            result = keywords.VALUES[keyword](value)
        except keywords.Unusable as reason:
            # `required: true` on a property is settled, and noted, by its parent.
            if not (keyword == "required" and value in (True, False, "true", "false")):
                self._note(child(pointer, keyword), f"{reason}, so it was left out")
            return
        if result is not value and result != value:
            self._note(child(pointer, keyword), f"{_short(value)} was read as {_short(result)}")
        found[keyword] = result

    def _schema(
        self, found: dict[str, Any], keyword: str, value: Any, pointer: str, base: str
    ) -> None:
        where = child(pointer, keyword)
        if keyword == "items" and isinstance(value, list):  # a tuple, as draft 4 wrote it
            self._schemas(found, "prefixItems", value, pointer, base)
        elif isinstance(value, dict | bool):
            found[keyword] = self.translate(value, where, base)
        elif value in ("true", "false"):
            self._note(where, f"the text {value!r} was read as a boolean")
            found[keyword] = value == "true"
        else:
            self._note(where, f"a schema belongs here, not {keywords.kind(value)}; left out")

    def _schemas(
        self, found: dict[str, Any], keyword: str, value: Any, pointer: str, base: str
    ) -> None:
        where = child(pointer, keyword)
        branches = value
        if isinstance(value, dict):
            self._note(where, "one schema was read as a list of one")
            branches = [value]
        if not isinstance(branches, list) or not branches:
            self._note(where, "a list of schemas belongs here; left out")
            return
        found[keyword] = [
            self.translate(branch, child(where, index), base)
            for index, branch in enumerate(branches)
        ]

    def _schema_map(
        self, found: dict[str, Any], keyword: str, value: Any, pointer: str, base: str
    ) -> None:
        where = child(pointer, keyword)
        if not isinstance(value, dict):
            self._note(where, f"schemas by name belong here, not {keywords.kind(value)}; left out")
            return
        members = {}
        for name, node in value.items():
            if keyword == "patternProperties":
                pattern = compilable(name)
                if pattern is None:
                    self._note(where, f"{name!r} is no regular expression, so it was left out")
                    continue
                members[pattern] = self.translate(node, child(where, name), base)
            else:
                members[name] = self.translate(node, child(where, name), base)
        found[keyword] = members

    def _reference(
        self, found: dict[str, Any], keyword: str, value: Any, pointer: str, base: str
    ) -> None:
        target = self._links.link(value, base, child(pointer, keyword))
        if target is not None:
            found["$ref"] = target

    def _requirements(self, properties: Any, found: dict[str, Any], pointer: str) -> None:
        """Moves `required: true` from a property to its object; what is hidden is not required."""
        required = list(found.get("required", ()))
        for name, node in properties.items():
            if not isinstance(node, dict):
                continue
            if node.get("required") in (True, "true") and name not in required:
                where = child(child(pointer, "properties"), name)
                self._note(where, "required: true on a property was read as required by its object")
                required.append(name)
            if name in required and self._links.hides(node):
                required.remove(name)
        if required:
            found["required"] = required
        else:
            found.pop("required", None)

    def _note(self, pointer: str, reason: str) -> None:
        self._notes.append(Note(pointer, reason))


def _settle(found: dict[str, Any]) -> None:
    """Settles the keywords whose meaning depends on their neighbours."""
    if "example" in found:
        example = found.pop("example")
        found.setdefault("examples", [example])
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        is_flag = isinstance(found.get(exclusive), bool)
        if is_flag and found.pop(exclusive) and bound in found:
            found[exclusive] = found.pop(bound)
    if found.pop("nullable", False):
        _allow_null(found)


def _allow_null(found: dict[str, Any]) -> None:
    """Puts `nullable: true` into words of 2020-12.

    An enum without null is extended: read to the letter it would forbid the null that `nullable`
    was written to allow.
    """
    if any(keyword in found for keyword in _COMPOSED):
        inner = {key: found.pop(key) for key in list(found) if key not in _ANNOTATIONS}
        found["anyOf"] = [inner, {"type": "null"}]
        return
    if "enum" in found and None not in found["enum"]:
        found["enum"] = [*found["enum"], None]
    types = found.get("type")
    if types is not None:
        types = [types] if isinstance(types, str) else types
        found["type"] = types if "null" in types else [*types, "null"]


_ANNOTATIONS = frozenset(
    {"description", "title", "default", "deprecated", "examples", "readOnly", "writeOnly"}
)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"

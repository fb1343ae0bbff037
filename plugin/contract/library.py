"""The schemas of one document, translated once and shared by every operation that uses them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from plugin.contract import pointer as pointers
from plugin.contract.operation import Note, Schema
from plugin.contract.schema.dialect import Dialect
from plugin.contract.schema.references import References, Unresolvable

Direction = Literal["request", "answer"]

_HIDDEN: dict[Direction, str] = {"request": "readOnly", "answer": "writeOnly"}

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(slots=True)
class _Definition:
    """One definition: its schema, what it refers to, and references that lead nowhere."""

    schema: Schema = True
    uses: dict[str, None] = field(default_factory=dict)
    broken: list[Note] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A schema at one place of the document, with the names of the definitions it refers to."""

    schema: Schema
    uses: tuple[str, ...]
    broken: tuple[Note, ...]


class Library:
    """Translates schemas on demand. Its definitions are shared: nobody may change one."""

    def __init__(
        self,
        references: References,
        notes: list[Note],
        direction: Direction,
        *,
        loose_references: bool,
    ) -> None:
        self._references = references
        self._hidden = _HIDDEN[direction]
        self._dialect = Dialect(self, notes, loose_references=loose_references)
        self._names: dict[str, str] = {}
        self._pointers: dict[str, str] = {}
        self._definitions: dict[str, _Definition] = {}
        self._current = _Definition()

    def fragment(self, node: Any, pointer: str) -> Fragment:
        """The schema that stands at `pointer`."""
        here = self._translated(node, pointer)
        return Fragment(here.schema, tuple(here.uses), tuple(here.broken))

    def whole(self, fragment: Fragment) -> Schema:
        """The fragment's schema, self-contained."""
        if not (isinstance(fragment.schema, dict) and fragment.uses):
            return fragment.schema
        return {**fragment.schema, "$defs": self.closure(fragment.uses)}

    @property
    def definitions(self) -> Mapping[str, Schema]:
        """Every definition by its name in `#/$defs/<name>`, translated when it is asked for."""
        return _Definitions(self)

    def definition(self, name: str) -> Schema:
        """The definition of that name. Raises KeyError for one that nothing refers to."""
        return self._definition(name).schema

    def names(self) -> Iterator[str]:
        """The definitions that something refers to."""
        return iter(self._pointers)

    def closure(self, names: Iterable[str]) -> dict[str, Schema]:
        """`$defs` for a schema that uses `names`: everything that can be reached, by name."""
        return {name: self._definition(name).schema for name in self._reach(names)}

    def broken(self, fragments: Iterable[Fragment]) -> list[Note]:
        """The references that lead nowhere, in the fragments and all that they reach."""
        found: list[Note] = []
        names: dict[str, None] = {}
        for fragment in fragments:
            found.extend(fragment.broken)
            names.update(dict.fromkeys(fragment.uses))
        for name in self._reach(names):
            found.extend(self._definition(name).broken)
        return found

    def link(self, reference: Any, base: str, pointer: str) -> str | None:
        """See dialect.Links."""
        try:
            target = self._references.ends(self._references.locate(reference, base))
        except Unresolvable as reason:
            self._current.broken.append(Note(pointer, str(reason)))
            return None
        name = self._names.get(target) or self._name(target)
        self._current.uses[name] = None
        return f"#/$defs/{name}"

    def hides(self, node: dict[str, Any]) -> bool:
        """See dialect.Links; a reference is followed: `readOnly` often stands in a component."""
        if self._hidden in node:
            return node[self._hidden] is True
        if not isinstance(node.get("$ref"), str):
            return False
        try:
            target = self._references.value(self._references.locate(node["$ref"]))
        except Unresolvable:
            return False
        return isinstance(target, dict) and target.get(self._hidden) is True

    def _reach(self, names: Iterable[str]) -> dict[str, None]:
        reached: dict[str, None] = {}
        waiting = list(names)[::-1]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached[name] = None
                waiting.extend(reversed(self._definition(name).uses))
        return reached

    def _definition(self, name: str) -> _Definition:
        if name not in self._definitions:
            pointer = self._pointers[name]
            self._definitions[name] = self._translated(self._references.value(pointer), pointer)
        return self._definitions[name]

    def _translated(self, node: Any, pointer: str) -> _Definition:
        outer, self._current = self._current, _Definition()
        try:
            self._current.schema = self._dialect.translate(node, pointer)
            return self._current
        finally:
            self._current = outer

    def _name(self, pointer: str) -> str:
        """A readable name for the definition at `pointer`, unlike every other."""
        steps = pointers.steps(pointer)
        if steps[:2] in (["components", "schemas"], ["$defs"], ["definitions"]):
            steps = steps[2:]
        wanted = _NOT_IN_NAMES.sub("_", "_".join(steps[-3:])).strip("_")[:64] or "schema"
        name, number = wanted, 2
        while name in self._pointers:
            name, number = f"{wanted}_{number}", number + 1
        self._names[pointer], self._pointers[name] = name, pointer
        return name


class _Definitions(Mapping[str, Schema]):
    """A library's definitions as a mapping."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def __getitem__(self, name: str) -> Schema:
        return self._library.definition(name)

    def __iter__(self) -> Iterator[str]:
        return self._library.names()

    def __len__(self) -> int:
        return sum(1 for _ in self._library.names())

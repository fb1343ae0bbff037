"""(method, path) to route, ahead of FastAPI's linear scan and with the same precedence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from re import Pattern
from typing import Any

from fastapi.routing import RouteContext
from starlette.types import ASGIApp

from plugin.operations import Access

Params = Mapping[str, Any]

# A converter that is not among these may match a slash.
_WITHIN_A_SEGMENT = ("", "str", "int", "float", "uuid")


@dataclass(frozen=True, slots=True)
class Entry:
    """A route as the gate sees it: `access` is None where nobody need say who they are."""

    route: RouteContext
    app: ASGIApp
    access: Access | None

    @property
    def template(self) -> str:
        """The path with its parameters in braces."""
        return self.route.path or ""

    @property
    def methods(self) -> frozenset[str]:
        """The methods that reach it; HEAD goes where GET goes (RFC 9110 9.3.2)."""
        methods = frozenset(self.route.methods or ())
        return methods | {"HEAD"} if "GET" in methods else methods


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    variable: "_Node | None" = None
    ending: list[int] = field(default_factory=list)
    """Entries whose path ends here, by the order they were declared in."""
    open: list[int] = field(default_factory=list)
    """Entries whose next parameter may take any number of segments."""


class RouteTable:
    """Finds the entry that Starlette's scan would find: the first declared that fits.

    Paths without parameters are answered from a dictionary. For the others a tree of segments names
    the few candidates, and Starlette's own patterns decide.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)
        self._methods = [entry.methods for entry in entries]
        self._root = _Node()
        for order, entry in enumerate(entries):
            self._plant(order, entry.template)
        self._literal = {
            (method, entry.template): self._search(method, entry.template)
            for entry in entries
            for method in entry.methods
            if "{" not in entry.template
        }

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def find(self, method: str, path: str) -> tuple[Entry, Params] | None:
        """The entry for a request and its path parameters; None when there is none."""
        return self._literal.get((method, path)) or self._search(method, path)

    def allowed(self, path: str) -> frozenset[str]:
        """The methods that `path` is known with; none when it is not known.

        A path that is declared as it stands is not an instance of one with parameters: so OpenAPI
        tells it to those who read the document.
        """
        literal = {method for method, template in self._literal if template == path}
        if literal:
            return frozenset(literal)
        orders = (order for order, _ in self._fitting(path))
        return frozenset[str]().union(*(self._methods[order] for order in orders))

    def _search(self, method: str, path: str) -> tuple[Entry, Params] | None:
        for order, params in self._fitting(path):
            if method in self._methods[order]:
                return self._entries[order], params
        return None

    def _fitting(self, path: str) -> Iterator[tuple[int, Params]]:
        for order in sorted(_candidates(self._root, path.split("/"), 0)):
            params = _match(self._entries[order].route, path)
            if params is not None:
                yield order, params

    def _plant(self, order: int, template: str) -> None:
        node = self._root
        for segment in template.split("/"):
            if "{" not in segment:
                node = node.literals.setdefault(segment, _Node())
            elif _stays_within(segment):
                node.variable = node = node.variable or _Node()
            else:
                node.open.append(order)
                return
        node.ending.append(order)


def _stays_within(segment: str) -> bool:
    parameters = (part.partition("}")[0] for part in segment.split("{")[1:])
    return all(parameter.partition(":")[2] in _WITHIN_A_SEGMENT for parameter in parameters)


def _candidates(node: _Node, segments: Sequence[str], depth: int) -> Iterator[int]:
    yield from node.open
    if depth == len(segments):
        yield from node.ending
        return
    literal = node.literals.get(segments[depth])
    if literal is not None:
        yield from _candidates(literal, segments, depth + 1)
    if node.variable is not None:
        yield from _candidates(node.variable, segments, depth + 1)


def _match(route: RouteContext, path: str) -> Params | None:
    pattern: Pattern[str] = route.path_regex
    match = pattern.match(path)
    if match is None:
        return None
    convertors = route.param_convertors
    try:
        return {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
    except ValueError:
        # For instance an integer of more digits than Python reads: no such thing can exist.
        return None

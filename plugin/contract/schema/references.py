"""Where a `$ref` leads inside one document; nothing is ever fetched."""

from typing import Any
from urllib.parse import urldefrag, urljoin

from plugin.contract import pointer as pointers

_HOPS = 50
"""References that may point at references before it is called a circle."""


_SAYS_NOTHING = frozenset({"$ref", "title", "description", "summary"})


class Unresolvable(ValueError):  # noqa: N818 - names say what is wrong
    """A reference that leads nowhere in this document; the message says why."""


class References:
    """Resolves the references of one document, with `$id` and `$anchor` where it uses them."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._found: dict[tuple[str, str], str] = {}
        self._named: dict[str, str] | None = None

    def locate(self, reference: Any, base: str = "") -> str:
        """The pointer of what is named; `base` is the `$id` in force. Raises Unresolvable."""
        if not isinstance(reference, str):
            raise Unresolvable("a $ref that is not text")
        key = (reference, base)
        if key not in self._found:
            self._found[key] = self._search(reference, base)
        return self._found[key]

    def value(self, pointer: str) -> Any:
        """What stands at a pointer that `locate` gave."""
        return pointers.look_up(self._document, pointer)

    def ends(self, pointer: str) -> str:
        """The pointer, if a schema stands at its end. Raises Unresolvable where none ever does.

        A schema that is nothing but a reference says what the next one says; in a circle nobody
        says anything.
        """
        node, seen = self.value(pointer), {pointer}
        while isinstance(node, dict) and "$ref" in node and node.keys() <= _SAYS_NOTHING:
            try:
                following = self.locate(node["$ref"])
            except Unresolvable:
                break  # reported where it stands
            if following in seen:
                raise Unresolvable(f"the references at {pointer} go in a circle")
            seen.add(following)
            node = self.value(following)
        return pointer

    def follow(self, node: Any, pointer: str) -> tuple[Any, str]:
        """The object that `node` is or refers to, however often, and its pointer.

        For path items, parameters, bodies and answers, where a reference stands for the whole
        object.
        """
        for _ in range(_HOPS):
            if not (isinstance(node, dict) and "$ref" in node):
                return node, pointer
            pointer = self.locate(node["$ref"])
            node = self.value(pointer)
        raise Unresolvable(f"the references at {pointer} go in a circle")

    def _search(self, reference: str, base: str) -> str:
        address, fragment = urldefrag(reference)
        root = ""
        if address or base:
            root = self._resource(address, base, reference)
        pointer = self._within(root, fragment)
        if pointer is None and root and not address:
            # Inside an embedded resource `#/…` is relative to it, but many mean the whole.
            pointer = self._within("", fragment)
        if pointer is None:
            raise Unresolvable(f"{reference} leads nowhere in this document")
        return pointer

    def _resource(self, address: str, base: str, reference: str) -> str:
        names = self._names()
        for name in (urljoin(base, address), address):
            if name in names:
                return names[name]
        if not address:
            return ""
        raise Unresolvable(
            f"{reference} lies outside this document, and references are not fetched"
        )

    def _within(self, root: str, fragment: str) -> str | None:
        fragment = pointers.from_fragment(fragment)
        if fragment and not fragment.startswith("/"):
            return self._names().get(f"#{fragment}")
        pointer = root + fragment
        return None if self.value(pointer) is pointers.MISSING else pointer

    def _names(self) -> dict[str, str]:
        if self._named is None:
            self._named = _identified(self._document)
        return self._named


def _identified(document: Any) -> dict[str, str]:
    """Pointers by `$id`, and by `#anchor`; the first of a name counts."""
    found: dict[str, str] = {}
    waiting: list[tuple[Any, str]] = [(document, "")]
    while waiting:
        node, pointer = waiting.pop()
        if isinstance(node, dict):
            for keyword, mark in (("$id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
                name = node.get(keyword)
                if isinstance(name, str):
                    found.setdefault(mark + name.rstrip("#"), pointer)
            members = [(value, pointers.child(pointer, key)) for key, value in node.items()]
        elif isinstance(node, list):
            members = [(value, pointers.child(pointer, index)) for index, value in enumerate(node)]
        else:
            continue
        waiting.extend(reversed(members))
    return found

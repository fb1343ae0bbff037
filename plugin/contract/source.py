"""A document while it is being read: its references, its schemas, and what was odd about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugin.contract.library import Library
from plugin.contract.operation import Note
from plugin.contract.schema.merge import Merger
from plugin.contract.schema.references import References, Unresolvable


class NotUsable(ValueError):  # noqa: N818 - names say what is wrong
    """Why an operation cannot be called, and where the reason stands."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(reason)
        self.note = Note(pointer, reason)


@dataclass
class Source:
    """What the readers of operations, parameters, bodies and answers share."""

    document: Mapping[str, Any]
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.references = References(self.document)
        loose = str(self.document.get("openapi", "")).startswith("3.0")
        self.requests = Library(self.references, self.notes, "request", loose_references=loose)
        self.merger = Merger(self.requests.definitions)
        # What is odd in answers is nobody's to mend while a call is made, so it is not noted.
        self.answers = Library(self.references, [], "answer", loose_references=loose)

    def note(self, pointer: str, reason: str) -> None:
        """Records an oddity that costs nothing."""
        self.notes.append(Note(pointer, reason))

    def follow(self, node: Any, pointer: str) -> tuple[Any, str]:
        """The object that `node` is or refers to. Raises NotUsable if it leads nowhere."""
        try:
            return self.references.follow(node, pointer)
        except Unresolvable as reason:
            raise NotUsable(pointer, str(reason)) from reason


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where an object belongs; empty for anything else."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """The value where text belongs; empty for anything else."""
    return value.strip() if isinstance(value, str) else ""


def flag(value: Any) -> bool:
    """The value where a boolean belongs, which some documents write as text."""
    return value is True or value == "true"

"""The code blocks of a page, as its readers would copy them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,})(?P<language>\w*)(?P<info>[^\n`]*)$")
_HEADING = re.compile(r"^#{2,3}\s+(?P<number>\d+)(?:\.\d+)*\.?\s")


@dataclass(frozen=True)
class Block:
    """A fenced block: the section it stands in (0 before the first), its language, what follows
    the language, its text and the line it begins on."""

    section: int
    language: str
    info: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    found: list[Block] = []
    section, opened, inside, began = 0, None, list[str](), 0
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None:
            heading = _HEADING.match(line)
            section = int(heading["number"]) if heading else section
            if fence:
                opened, inside, began = fence, [], number
        elif fence and not fence["language"] and len(fence["fence"]) >= len(opened["fence"]):
            text = textwrap.dedent("\n".join(inside)) + "\n"
            found.append(Block(section, opened["language"], opened["info"].strip(), text, began))
            opened = None
        else:
            inside.append(line)
    assert opened is None, f"{page.name}: the block of line {began} has no end"
    return found

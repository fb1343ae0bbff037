"""Parts a text into chunks to search and quote: at paragraphs, else at sentences, else at words."""

import re
from collections.abc import Iterator

LARGEST = 800
"""Of a chunk, in narrow characters; a Han, Kana or Hangul character counts as two."""

_WIDE = re.compile(
    "[\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U00020000-\U0003ffff]"
)

# From the coarsest to the finest. Repetitions are bounded or stand last: no text makes them slow.
_BOUNDARIES = (
    re.compile(r"\n[ \t\r\f]*\n\s*|\f\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?][\"'”’»)\]]{0,3}\s+|[。！？；…][\"'”’」』）》】]{0,3}\s*"),
    re.compile(r"[,;:]\s+|[，、：]\s*"),
    re.compile(r"\s+"),
)


def chunks(text: str) -> list[str]:
    """The chunks of a text in their order; joined they are the text again, and none overlap."""
    found: list[str] = []
    size = 0
    for piece in _pieces(text, 0):
        more = _size(piece)
        if found and size + more <= LARGEST:
            found[-1] += piece
            size += more
        else:
            found.append(piece)
            size = more
    return found


def _pieces(text: str, level: int) -> Iterator[str]:
    """Parts that fit into a chunk, cut as coarsely as that allows."""
    if _size(text) <= LARGEST:
        yield text
    elif level < len(_BOUNDARIES):
        for part in _split(text, _BOUNDARIES[level]):
            yield from _pieces(part, level + 1)
    else:
        for start in range(0, len(text), LARGEST // 2):
            yield text[start : start + LARGEST // 2]


def _split(text: str, boundary: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for found in boundary.finditer(text):
        yield text[start : found.end()]
        start = found.end()
    if start < len(text):
        yield text[start:]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))

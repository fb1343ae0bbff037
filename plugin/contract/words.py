"""Texts for a model: tidy, and cut where a sentence or a word ends."""

import re

from plugin.contract.operation import Operation
from plugin.contract.text import without_control_characters

_LONGEST_TITLE = 80

_SPACES = re.compile(r"[ \t\u00a0]+")
_LINES = re.compile(r" ?\n ?(?:\n ?)*")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?。！？](?=\s)|\n")


def tidy(text: str) -> str:
    """The text on as few lines as it has paragraphs, without comments and control characters."""
    text = _COMMENT.sub("", without_control_characters(text.replace("\r\n", "\n")))
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()


def cut(text: str, limit: int) -> str:
    """The text within `limit` characters: whole sentences if they fill half, else words."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: limit + 1])]
    ends = [end for end in ends if limit // 2 <= end <= limit]
    if ends:
        return head[: ends[-1]].rstrip()
    space = head.rfind(" ", 0, limit - 1)
    return (head[:space] if space > limit // 2 else head[: limit - 1]).rstrip(" ,;:-") + "…"


def describe(operation: Operation, limit: int) -> str:
    """What a model reads of an operation: summary, then description, if each adds something."""
    summary, description = tidy(operation.summary), tidy(operation.description)
    plain = summary.rstrip(".").lower()
    if not description or plain.startswith(description.rstrip(".").lower()):
        text = summary
    elif not summary or description.lower().startswith(plain):
        text = description
    else:
        text = f"{summary if summary[-1] in '.!?' else f'{summary}.'} {description}"
    text = text or f"{operation.method} {operation.path}"
    return cut(f"Deprecated. {text}" if operation.deprecated else text, limit)


def title(operation: Operation, name: str) -> str:
    """A name for people: the summary where it is short, else the tool's name in words."""
    summary = tidy(operation.summary).rstrip(".")
    if summary and "\n" not in summary and len(summary) <= _LONGEST_TITLE:
        return summary
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]+", " ", name).strip().capitalize()

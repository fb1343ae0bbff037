"""Words of a request that stand together and could be the value of an argument."""

import re

from plugin.engines.llama.words.clauses import ASKING
from plugin.engines.llama.words.message import FUNCTION_WORDS, KINDS, words_of

_EDGES = " \t\r\n.,;:!?\"'()[]{}<>“”‘’«»。，；：！？、（）《》「」【】…"
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|「([^」]+)」|《([^》]+)》|(?<!\w)[\'‘](.+?)[\'’](?!\w)')
_JOINTS = re.compile(r"\s(?:from|to|on|at|for|with|about|by)\s", re.IGNORECASE)
_GAP = " ; "
_MOST_WORDS = 60
_LONGEST_SPAN = 10
_MOST_SPANS = 400


def quoted(text: str) -> list[str]:
    """What stands between quotation marks."""
    return ["".join(groups).strip() for groups in _QUOTED.findall(text)]


def spans(text: str, leading: frozenset[str]) -> list[str]:
    """Words that stand together and could be a value; nothing for a text that is too long.

    A span neither begins nor ends with a word that only joins others, and does not begin with one
    of `leading`, the words that ask for the tool.
    """
    words = text.split()
    if len(words) > _MOST_WORDS:
        return []
    longest = _LONGEST_SPAN if len(words) <= _LONGEST_SPAN * 3 else _LONGEST_SPAN // 2
    asks = words and words[0].strip(_EDGES).lower() in ASKING
    found = (
        span.removesuffix("'s")
        for start in range(bool(asks), len(words))
        for end in range(start + 1, min(start + longest, len(words)) + 1)
        if (span := " ".join(words[start:end]).strip(_EDGES)) and _is_value(span, leading)
    )
    marked = [each for each in quoted(text) if len(each.split()) <= _LONGEST_SPAN]
    return list(dict.fromkeys(marked or found))[:_MOST_SPANS]


def without(text: str, values: list[str], kinds: list[str]) -> str:
    """The text with these values, and dates, times or addresses, taken out of it."""
    for value in values:
        plain = " ".join(words_of(value)) or value
        text = re.sub(
            rf"(?<![a-z0-9]){re.escape(plain)}(?![a-z0-9])", _GAP, text, flags=re.IGNORECASE
        )
        text = text.replace(value, _GAP) if not value.isascii() else text
    for pattern in (pattern for kind in kinds for pattern in KINDS[kind]):
        text = pattern.sub(_GAP, text)
    return text


def _is_value(span: str, leading: frozenset[str]) -> bool:
    parts = span.split()
    first, last = parts[0].strip(_EDGES).lower(), parts[-1].strip(_EDGES).lower()
    if first in FUNCTION_WORDS or last in FUNCTION_WORDS:
        return False
    inner = "".join(parts[:-1])
    if first in leading or (last in leading and len(parts) > 1):
        return False
    return not any(sign in inner for sign in "?!;")


def after(text: str, words: frozenset[str], candidates: list[str]) -> list[str]:
    """Those of the candidates that stand right after one of `words`, up to the next such word."""
    found = []
    for match in re.finditer(r"[A-Za-z]+", text):
        if match[0].lower() in words:
            rest = _JOINTS.split(text[match.end() :].strip(_EDGES))[0]
            found += [each for each in candidates if rest.startswith(each)]
    return found

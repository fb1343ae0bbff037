"""What a request says that could be the value of an argument: spans, numbers, dates, addresses."""

import re
from collections.abc import Iterator
from itertools import chain

from plugin.engines.llama.clauses import ASKING

_CJK = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LETTER = re.compile(r"[^\W\d_]")
_EDGES = " \t\r\n.,;:!?\"'()[]{}<>“”‘’«»。，；：！？、（）《》「」【】…"
_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|「([^」]+)」|《([^》]+)》|(?<!\w)[\'‘](.+?)[\'’](?!\w)')
_NUMBER = re.compile(r"(?<![\w:.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\d:]|[-/]\d)")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s<>\"'，。]+")
_TIME = re.compile(r"(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\d:])")
_ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_WORDED_DATES = (
    re.compile(rf"\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.IGNORECASE),
    re.compile(
        rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})\b", re.IGNORECASE
    ),
)
_CHINESE_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]")
_KINDS = {
    "date": (_ISO_DATE, *_WORDED_DATES, _CHINESE_DATE),
    "time": (_TIME,),
    "email": (_EMAIL,),
}
_GAP = " ; "
_SMALL = dict(
    zip(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        range(13),
        strict=True,
    )
) | {"dozen": 12, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
_CHINESE_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九十")} | {"两": 2}

_FUNCTION_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "i",
        "me",
        "my",
        "mine",
        "we",
        "us",
        "our",
        "you",
        "your",
        "he",
        "she",
        "it",
        "its",
        "they",
        "them",
        "their",
        "this",
        "that",
        "these",
        "those",
        "is",
        "are",
        "am",
        "was",
        "were",
        "be",
        "been",
        "being",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "will",
        "would",
        "can",
        "could",
        "shall",
        "should",
        "may",
        "might",
        "must",
        "to",
        "of",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "about",
        "as",
        "into",
        "onto",
        "and",
        "or",
        "but",
        "not",
        "no",
        "if",
        "then",
        "than",
        "so",
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "please",
        "tell",
        "give",
        "show",
        "get",
        "let",
        "need",
        "want",
        "like",
        "i'd",
        "i'm",
        "i'll",
        "i've",
        "what's",
        "it's",
        "how's",
        "who's",
        "where's",
        "there",
        "here",
        "just",
        "now",
        "right",
        "some",
        "any",
        "today's",
    ]
)
_JOINTS = re.compile(r"\s(?:from|to|on|at|for|with|about|by)\s", re.IGNORECASE)
_MOST_WORDS = 60
_LONGEST_SPAN = 10
_MOST_SPANS = 400


def is_cjk(text: str) -> bool:
    """Whether a text is mostly Chinese (or Japanese, in its characters)."""
    return len(_CJK.findall(text)) * 3 >= len(_LETTER.findall(text)) > 0


def words_of(text: str) -> list[str]:
    """The words of a text, or of a name in any case, in small letters."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W_]+(?:'[a-z]+)?", spaced.lower())


def content_words(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, plural and `-ing` taken off."""
    return frozenset(_stem(word) for word in words_of(text) if word not in _FUNCTION_WORDS)


def numbers(text: str) -> list[int | float]:
    """The numbers that a text names, in figures or in words, in their order."""
    found: list[tuple[int, int | float]] = [
        (match.start(), _number(match[0])) for match in _NUMBER.finditer(text)
    ]
    found += [
        (match.start(), _SMALL[match[0].lower()])
        for match in re.finditer(r"[A-Za-z]+", text)
        if match[0].lower() in _SMALL
    ]
    found += [
        (match.start(), _CHINESE_DIGITS[match[0]])
        for match in re.finditer(f"[{''.join(_CHINESE_DIGITS)}](?=[个张位人天次份度晚])", text)
    ]
    return [value for _place, value in sorted(found, key=lambda pair: pair[0])]


def dates(text: str) -> list[str]:
    """Whole dates that a text names, as ISO 8601 writes them."""
    found = _ISO_DATE.findall(text)
    for match in chain.from_iterable(form.finditer(text) for form in _WORDED_DATES):
        first, second, year = match.groups()
        month, day = (first, second) if first.isalpha() else (second, first)
        found.append(f"{year}-{_MONTHS.index(month[:3].lower()) + 1:02}-{int(day):02}")
    for year, month, day in _CHINESE_DATE.findall(text):
        found.append(f"{year}-{int(month):02}-{int(day):02}")
    return found


def times(text: str) -> list[str]:
    """Times of day in figures."""
    return _TIME.findall(text)


def addresses(text: str, kind: str) -> list[str]:
    """Addresses of email, or of the web (`url`)."""
    return (_EMAIL if kind == "email" else _URL).findall(text)


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
    for pattern in (pattern for kind in kinds for pattern in _KINDS[kind]):
        text = pattern.sub(_GAP, text)
    return text


def _is_value(span: str, leading: frozenset[str]) -> bool:
    parts = span.split()
    first, last = parts[0].strip(_EDGES).lower(), parts[-1].strip(_EDGES).lower()
    if first in _FUNCTION_WORDS or last in _FUNCTION_WORDS:
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


def named(text: str, values: Iterator[str]) -> list[str]:
    """Those of `values` that a text names, in the order in which it does."""
    lowered = text.lower()
    found = []
    for value in values:
        plain = " ".join(words_of(value)) or value.lower()
        pattern = rf"(?<![a-z0-9]){re.escape(plain)}(?![a-z0-9])"
        match = re.search(pattern, lowered) or re.search(re.escape(value.lower()), lowered)
        whole = match and (not value.isascii() or match.re.pattern == pattern)
        if match and whole:
            found.append((match.start(), value))
    return [value for _place, value in sorted(found)]


def _number(written: str) -> int | float:
    value = float(written.replace(",", ""))
    return int(value) if value.is_integer() else value


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2:  # noqa: PLR2004 - a stem has three
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word

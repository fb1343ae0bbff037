"""What a request says that could be the value of an argument: spans, numbers, dates, addresses."""

import re
from collections.abc import Iterator
from datetime import date
from itertools import chain

_CJK = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LETTER = re.compile(r"[^\W\d_]")
_NUMBER = re.compile(r"(?<![\w:.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\d:]|[-/]\d)")
_LONGEST_NUMBER = 40
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s<>\"'，。]+")
_TIME = re.compile(r"(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\d:])")
_ISO_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WORDED_DATES = (
    re.compile(rf"\b{_MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.IGNORECASE),
    re.compile(
        rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+(\d{{4}})\b", re.IGNORECASE
    ),
)
_CHINESE_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]")
_SMALL = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
    )
} | {"dozen": 12, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
_CHINESE_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九十")} | {"两": 2}

KINDS = {
    "date": (_ISO_DATE, *_WORDED_DATES, _CHINESE_DATE),
    "time": (_TIME,),
    "email": (_EMAIL,),
}
"""What a date, a time, an address of email looks like in a text."""

FUNCTION_WORDS = frozenset(
    """
    a an the i me my mine we us our you your he she it its they them their this that these those
    is are am was were be been being do does did has have had will would can could shall should
    may might must to of in on at by for from with about as into onto and or but not no if then
    than so what which who whom whose when where why how please tell give show get let need want
    like i'd i'm i'll i've what's it's how's who's where's there here just now right some any
    today's
    """.split()  # noqa: SIM905 - so many read best as words
)


def is_cjk(text: str) -> bool:
    """Whether a text is mostly Chinese (or Japanese, in its characters)."""
    return len(_CJK.findall(text)) * 3 >= len(_LETTER.findall(text)) > 0


def words_of(text: str) -> list[str]:
    """The words of a text, or of a name in any case, in small letters."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W_]+(?:'[a-z]+)?", spaced.lower())


def content_words(text: str) -> frozenset[str]:
    """The words of a text that carry meaning, plural and `-ing` taken off."""
    return frozenset(_stem(word) for word in words_of(text) if word not in FUNCTION_WORDS)


def numbers(text: str) -> list[int | float]:
    """The numbers that a text names, in figures or in words, in their order."""
    found: list[tuple[int, int | float]] = [
        (match.start(), _number(match[0]))
        for match in _NUMBER.finditer(text)
        if len(match[0]) <= _LONGEST_NUMBER
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
    """Whole dates that a text names and that there are, as ISO 8601 writes them."""
    found = _ISO_DATE.findall(text)
    for match in chain.from_iterable(form.finditer(text) for form in _WORDED_DATES):
        first, second, year = match.groups()
        month, day = (first, second) if first.isalpha() else (second, first)
        found.append(f"{year}-{_MONTHS.index(month[:3].lower()) + 1:02}-{int(day):02}")
    for year, month, day in _CHINESE_DATE.findall(text):
        found.append(f"{year}-{int(month):02}-{int(day):02}")
    return [written for written in found if _is_date(written)]


def times(text: str) -> list[str]:
    """Times of day in figures."""
    return _TIME.findall(text)


def addresses(text: str, kind: str) -> list[str]:
    """Addresses of email, or of the web (`url`)."""
    return (_EMAIL if kind == "email" else _URL).findall(text)


def named(text: str, values: Iterator[str]) -> list[str]:
    """Those of `values` that a text names, in the order in which it does."""
    lowered = text.lower()
    found = []
    for value in values:
        plain = " ".join(words_of(value)) or value.lower()
        match = re.search(rf"(?<![a-z0-9]){re.escape(plain)}(?![a-z0-9])", lowered)
        if match is None and not value.isascii():
            match = re.search(re.escape(value.lower()), lowered)
        if match is not None:
            found.append((match.start(), value))
    return [value for _place, value in sorted(found)]


def _is_date(written: str) -> bool:
    try:
        date.fromisoformat(written)
    except ValueError:
        return False
    return True


def _number(written: str) -> int | float:
    plain = written.replace(",", "")
    if "." not in plain:
        return int(plain)  # exact, however many digits
    value = float(plain)
    return int(value) if value.is_integer() else value


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2:  # noqa: PLR2004 - a stem has three
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word

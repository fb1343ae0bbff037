"""A request taken apart: its clauses, and lists of names of which each asks for the same."""

import re

_MOST = 8
_BREAK = re.compile(
    r"\s*(?:[;；。，、？！]|[.?!](?=\s)|,?\s+(?:and then|and also|then|and|also|plus)\s+|,\s+)\s*"
    r"(?:(?:and|then|also)\s+)?|(?:然后|并且|还有|以及|[和与跟])",
    re.IGNORECASE,
)
_TAIL = re.compile(r"\s*(?:please|thanks|thank you|now|right now|today)?[\s.?!]*$", re.IGNORECASE)
_NAME = re.compile(r"(?:[A-Z][\w.'-]*)(?:\s+[A-Z][\w.'-]*){0,3}$")
_CHINESE_LIST = re.compile(r"([一-鿿]{2,6}?(?:(?:[、，,]|和|与|跟)[一-鿿]{2,6}?)+)(的.+)$")
_CHINESE_AND = re.compile(r"[、，,和与跟]")
_LISTED = frozenset(
    """
    city location place country town region state symbol ticker company currency airport station
    城市 地点 地名 国家 股票代码 公司
    """.split()  # noqa: SIM905 - so many read best as words
)
"""Parameters of which a list of names means one call each; a title may well hold an "and"."""

_REQUESTS = """
    add ask book buy calculate call cancel change check close compute convert count create define
    delete describe do evaluate fetch find get give go how is list look mail make open order pay
    please plan play put read remind remove reserve run save schedule search send set show start
    stop switch tell text translate turn update wake what what's when where which who write
"""
ASKING = frozenset(_REQUESTS.split())
"""Words with which a clause begins that asks for something."""


def clauses(message: str) -> list[str]:
    """The parts of a request that could each ask for something; at most eight."""
    parts = [part.strip() for part in _BREAK.split(message) if part and part.strip(" .?!,？！。，")]
    return parts if len(parts) <= _MOST else []


def enumerated(message: str, about: str) -> list[str]:
    """The request once for each name that it lists; nothing where it lists none.

    `about` is what the tool says of the parameter that would take the names.
    """
    words = set(re.findall(r"[a-z]+|[一-鿿]+", about.lower().replace("_", " ")))
    if not any(mark in words or (not mark.isascii() and mark in about) for mark in _LISTED):
        return []
    return _english(message) or _chinese(message)


def _english(message: str) -> list[str]:
    """As in "Weather in Oslo, Rome and Madrid please": what stands before the names, with each."""
    tail = _TAIL.search(message)
    body = message[: tail.start()] if tail else message
    first, *others = clauses(body) or [""]
    name = _NAME.search(first)
    if not others or name is None or not name.start():
        return []
    if not all(_NAME.fullmatch(other) for other in others):
        return []
    return [first[: name.start()] + each for each in (name[0], *others)]


def _chinese(message: str) -> list[str]:
    """As in "北京和上海的天气": each name with what follows them all."""
    found = _CHINESE_LIST.match(message)
    if found is None:
        return []
    return [name + found[2] for name in _CHINESE_AND.split(found[1])]

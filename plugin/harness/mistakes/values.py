"""Wrong values: of another type, outside an enum, beyond a limit; at any depth."""

from collections.abc import Callable
from random import Random
from typing import Any

from plugin.contract.pointer import MISSING
from plugin.harness.argument_schema import is_of_type
from plugin.harness.edits import put
from plugin.harness.faults import FaultKind, alike, only_alike
from plugin.harness.json_text import dumps
from plugin.harness.mistakes.slip import Good, Mistake, Slip, Undo, starting_anywhere
from plugin.harness.sites import Site

Wrong = tuple[str, Any, Undo]
"""A variety, the wrong value, what undoes it."""

_NUMBERS = frozenset({"integer", "number"})
_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve"),
)
_NO_NUMBERS = ("many", "all", "unknown", "default", "dontcare")
_NO_CHOICES = ("other", "default", "standard", "any", "none of these")


def everywhere(kind: FaultKind, wrong: Callable[[Site, Random], Wrong | None]) -> Mistake:
    """The mistake of putting a wrong value at one of the places that have one."""

    def make(good: Good, random: Random) -> Slip | None:
        for site in starting_anywhere(good.sites[1:], random):
            found = wrong(site, random)
            if found is not None:
                variety, value, undo = found
                arguments = put(good.arguments, site.path, value)
                return Slip(variety, kind, site.path, arguments, undo, site.schemas, site.value)
        return None

    return make


def number_as_string(site: Site, _: Random) -> Wrong | None:
    """`"5"` for 5."""
    if not _is_number(site.value) or not site.types & _NUMBERS or "string" in site.types:
        return None
    return "digits", dumps(site.value).decode(), "lossless"


def word_for_number(site: Site, random: Random) -> Wrong | None:
    """`"five"` or `"many"` for a number."""
    if not _is_number(site.value) or not site.types & _NUMBERS or site.types - _NUMBERS - {"null"}:
        return None
    if site.value in range(len(_WORDS)):
        return "number_word", _WORDS[int(site.value)], ""
    return "other_word", random.choice(_NO_NUMBERS), ""


def bool_as_string(site: Site, random: Random) -> Wrong | None:
    """`"true"`, or Python's `"True"`, for true."""
    if not isinstance(site.value, bool) or "string" in site.types or "boolean" not in site.types:
        return None
    text = "true" if site.value else "false"
    pythonic = random.random() < 0.3  # noqa: PLR2004 - the rarer of the two
    return ("capital", text.capitalize(), "lossless") if pythonic else ("text", text, "lossless")


def string_for_array(site: Site, random: Random) -> Wrong | None:
    """A list as JSON text, as words with commas, its one item alone, or nothing as `""`."""
    if "array" not in site.types or site.types - {"array", "object", "null"}:
        return None
    if site.value is MISSING:
        return ("empty", "", "") if site.is_key else None
    if not isinstance(site.value, list):
        return None
    choices: list[Wrong] = [("json", dumps(site.value).decode(), "lossless")]
    if site.value and all(isinstance(item, str) for item in site.value):
        if len(site.value) == 1 and not _reads_as_json(site.value[0]):
            choices.append(("alone", site.value[0], "lenient"))
        elif len(site.value) > 1:
            choices.append(("commas", ", ".join(site.value), ""))
    return random.choice(choices)


def wrong_type(site: Site, random: Random) -> Wrong | None:
    """A value of another type that none of the finer names fits."""
    if site.value is MISSING or not site.types:
        return None
    candidates: list[Wrong] = [
        ("in_a_list", [site.value], ""),
        ("integer", 1, ""),
        ("boolean", True, ""),
        ("fraction", 2.5, ""),
    ]
    if isinstance(site.value, dict) and site.types <= {"object", "null"}:
        candidates.append(("json_text", dumps(site.value).decode(), "lossless"))
        candidates.append(("python_text", repr(site.value), ""))
    if isinstance(site.value, list) and site.value and not isinstance(site.value[0], str | list):
        candidates.append(("item_alone", site.value[0], "lenient" if len(site.value) == 1 else ""))
    if site.required or not site.is_key:
        candidates.append(("null", None, ""))
    types = list(site.types)
    found = (one for one in starting_anywhere(candidates, random) if not is_of_type(one[1], types))
    return next(found, None)


def enum_invented(site: Site, random: Random) -> Wrong | None:
    """A value that no enum lists."""
    if site.enum is None or site.value is MISSING:
        return None
    if isinstance(site.value, str):
        words = [f"{site.value}_plus", *_NO_CHOICES]
        new = [word for word in words if not any(alike(word, known) for known in site.enum)]
        return ("word", random.choice(new), "") if new else None
    if _is_number(site.value):
        return "number", 1 + max(int(known) for known in site.enum if _is_number(known)), ""
    return None


def enum_case(site: Site, random: Random) -> Wrong | None:
    """An enum's value in other letters or with other separators."""
    if site.enum is None or not isinstance(site.value, str):
        return None
    value, allowed = site.value, site.enum
    forms = [value.upper(), value.title(), value.lower(), value.capitalize()]
    forms += [value.replace("_", " "), value.replace("-", "_"), value.replace(" ", "-")]
    for form in starting_anywhere(forms, random):
        if form not in allowed and only_alike(form, allowed) == value:
            return "form", form, "lossless"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reads_as_json(text: str) -> bool:
    return text.lstrip()[:1] in ("[", "{", "")

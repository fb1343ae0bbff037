"""Wrong keys: missing, invented, misspelt, null instead of left out, one object too many."""

import re
from random import Random

from plugin.contract.pointer import MISSING
from plugin.harness.edits import put, renamed, without
from plugin.harness.faults import FaultKind, alike, only_alike
from plugin.harness.mistakes.slip import Good, Slip, Undo, starting_anywhere
from plugin.harness.sites import Site

_INVENTED = (
    ("language", "en"),
    ("include_details", True),
    ("max_results", 10),
    ("note", "as the user asked"),
    ("timezone", "UTC"),
    ("verbose", False),
)
"""Keys that models add, with what they put there."""

_WRAPPER = "arguments"
_LENIENT: Undo = "lenient"
_NONE: Undo = ""
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])|[^\W_]+")


def missing_required(good: Good, random: Random) -> Slip | None:
    """A required key left out."""
    sites = [site for site in good.sites if site.required]
    for site in starting_anywhere(sites, random):
        arguments = without(good.arguments, site.path)
        kind = FaultKind.MISSING_REQUIRED
        return Slip("left_out", kind, site.path, arguments, "", site.schemas, site.value)
    return None


def unknown_key(good: Good, random: Random) -> Slip | None:
    """A key that a closed object does not list."""
    for site in starting_anywhere(good.objects, random):
        if not site.is_closed:
            continue
        for key, value in starting_anywhere(list(_INVENTED), random):
            if not any(alike(key, known) for known in site.properties):
                path = (*site.path, key)
                arguments = put(good.arguments, path, value)
                kind = FaultKind.UNKNOWN_KEY
                return Slip("invented", kind, path, arguments, _LENIENT, site.schemas)
    return None


def near_miss_key(good: Good, random: Random) -> Slip | None:
    """A key in other letters or with other separators."""
    for site in starting_anywhere(good.objects, random):
        if not site.is_closed:
            continue
        for key in starting_anywhere([k for k in site.value if k in site.properties], random):
            form = _other_form(site, key, random)
            if form is not None:
                arguments = renamed(good.arguments, (*site.path, key), form)
                path, kind = (*site.path, form), FaultKind.NEAR_MISS_KEY
                return Slip("form", kind, path, arguments, "lossless", site.schemas, key)
    return None


def null_for_optional(good: Good, random: Random) -> Slip | None:
    """Null for what should have been left out; where nothing was, null for what was given."""
    if good.strict:
        return None
    optional = [site for site in good.sites if _takes_no_null(site)]
    left_out = [site for site in optional if site.value is MISSING]
    if not optional:
        return None
    site = random.choice(left_out or optional)
    variety, undo = ("left_out", _LENIENT) if left_out else ("given", _NONE)
    arguments = put(good.arguments, site.path, None)
    kind = FaultKind.NULL_FOR_OPTIONAL
    return Slip(variety, kind, site.path, arguments, undo, site.schemas, site.value)


def _takes_no_null(site: Site) -> bool:
    says_more = bool(site.types) or site.enum is not None
    return site.is_key and not site.required and site.value is not None and says_more


def wrapped(good: Good, _: Random) -> Slip | None:
    """The whole arguments once more in `{"arguments": …}`."""
    root = good.root
    if any(alike(_WRAPPER, known) for known in root.properties):
        return None
    if root.is_closed:
        path, kind = (_WRAPPER,), FaultKind.UNKNOWN_KEY
    elif root.required_keys:
        path, kind = (min(root.required_keys),), FaultKind.MISSING_REQUIRED
    else:
        return None
    arguments = {_WRAPPER: good.arguments}
    return Slip("in_arguments", kind, path, arguments, "lossless", root.schemas)


def _other_form(site: Site, key: str, random: Random) -> str | None:
    words: list[str] = _WORD.findall(key)
    capitals = [word.capitalize() for word in words]
    camel = "".join([word.lower() for word in words[:1]] + capitals[1:])
    forms = ["_".join(words).lower(), camel, "".join(capitals), "-".join(words).lower()]
    forms += [key.capitalize(), key.upper()]
    new = [form for form in forms if form not in site.properties and form not in site.value]
    # Where two known keys are alike, nobody can say which of them was meant.
    clear = [form for form in new if only_alike(form, site.properties) == key]
    return random.choice(clear) if clear else None

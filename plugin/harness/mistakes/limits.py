"""Values beyond a stated limit: too small, too long, unlike the pattern, too many."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

import jsonschema_rs

from plugin.contract.pointer import MISSING
from plugin.harness.mistakes.slip import starting_anywhere
from plugin.harness.mistakes.values import Wrong
from plugin.harness.sites import Site

_LONGEST = 5_000
"""Characters or items that are written to break a limit; a greater limit is left alone."""

_UNLIKE = ("?", "", "not like this", "0", "\u2603")


def constraint(site: Site, random: Random) -> Wrong | None:
    """A value of the right type that breaks one of the limits stated for it."""
    if site.value is MISSING or site.enum is not None:
        return None
    stated = [
        (keyword, schema[keyword])
        for schema in site.schemas
        for keyword in schema
        if keyword in _BREAKERS
    ]
    for keyword, limit in starting_anywhere(stated, random):
        new = _BREAKERS[keyword](site, limit)
        if new is not MISSING:
            return keyword, new, ""
    return None


def _below(site: Site, limit: float) -> Any:
    return _number(site, math.floor(limit) - 1)


def _above(site: Site, limit: float) -> Any:
    return _number(site, math.ceil(limit) + 1)


def _equal(site: Site, limit: float) -> Any:
    whole = float(limit).is_integer()
    if not whole and "number" not in site.types:
        return MISSING
    return _number(site, int(limit) if whole else limit)


def _between(site: Site, step: float) -> Any:
    halfway = "number" in site.types
    if step <= 0 or not (halfway or step > 1):
        return MISSING
    return _number(site, site.value + (step / 2 if halfway else 1))


def _number(site: Site, new: float) -> Any:
    return new if isinstance(site.value, int | float) else MISSING


def _too_short(site: Site, limit: int) -> Any:
    return site.value[: limit - 1] if isinstance(site.value, str) and limit > 0 else MISSING


def _too_long(site: Site, limit: int) -> Any:
    if not isinstance(site.value, str) or limit > _LONGEST:
        return MISSING
    return (site.value or "x") + "x" * (limit + 1 - len(site.value or "x"))


def _unlike(site: Site, pattern: str) -> Any:
    if not isinstance(site.value, str):
        return MISSING
    check = jsonschema_rs.Draft202012Validator({"pattern": pattern})
    texts = (f"{site.value}?", *_UNLIKE)
    return next((text for text in texts if not check.is_valid(text)), MISSING)


def _too_few(site: Site, limit: int) -> Any:
    return site.value[: limit - 1] if isinstance(site.value, list) and limit > 0 else MISSING


def _too_many(site: Site, limit: int) -> Any:
    if not isinstance(site.value, list) or not site.value or limit > _LONGEST:
        return MISSING
    return [*site.value, *[site.value[-1]] * (limit + 1 - len(site.value))]


def _repeated(site: Site, limit: bool) -> Any:  # noqa: FBT001 - the keyword's value
    repeats = limit and isinstance(site.value, list) and site.value
    return [*site.value, site.value[-1]] if repeats else MISSING


_BREAKERS: dict[str, Callable[[Site, Any], Any]] = {
    "minimum": _below,
    "maximum": _above,
    "exclusiveMinimum": _equal,
    "exclusiveMaximum": _equal,
    "multipleOf": _between,
    "minLength": _too_short,
    "maxLength": _too_long,
    "pattern": _unlike,
    "minItems": _too_few,
    "maxItems": _too_many,
    "uniqueItems": _repeated,
}

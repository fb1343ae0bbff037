"""Text values as a grammar: bounded, of a pattern or of a format where the schema says one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plugin.engines.llama.grammar.lark import Part, literal, repeated, sequence
from plugin.engines.llama.grammar.patterns import Piece, Unwritable, pattern

_LONG_MONTHS = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTHS = "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
_FEBRUARY = "02-(?:0[1-9]|1[0-9]|2[0-8])"
_DATE = f"[12][0-9]{{3}}-(?:{_LONG_MONTHS}|{_SHORT_MONTHS}|{_FEBRUARY})"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:Z|[+-](?:0[0-9]|1[0-2]):[03]0)"
_HEX = "[0-9a-f]"
_BYTE = "(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_HOST = "[a-z][a-z0-9]{0,20}(?:-[a-z0-9]{1,10})?(?:\\.[a-z][a-z0-9]{0,15}){0,2}\\.[a-z]{2,6}"
_URI = f"https?://{_HOST}(?:/[A-Za-z0-9._~%-]{{0,30}}){{0,4}}"
_FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "email": f"[A-Za-z0-9]{{1,20}}(?:[._+-][A-Za-z0-9]{{1,15}}){{0,2}}@{_HOST}",
    "uuid": f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    "ipv4": f"{_BYTE}\\.{_BYTE}\\.{_BYTE}\\.{_BYTE}",
    "hostname": _HOST,
    "uri": _URI,
    "url": _URI,
}
_CHARACTER = Part(r'(/[^"\\\x00-\x1F\x7F]/ | "\\" /["\\\/bfnrt]/)', 4, "a")


def string(schema: Mapping[str, Any], most: int) -> Part | None:
    """Text that a schema allows, of at most about `most` characters; None if there is none.

    Raises TooLarge where the schema itself wants more than the engine can write.
    """
    least, end = schema.get("minLength", 0), schema.get("maxLength", 2**31)
    if least > end:
        return None
    found = _formed(schema, most)
    if found is None:
        most = min(max(most, least), end)
        part = _quoted(repeated(_CHARACTER, least, most))
        return replace(part, exact=False) if "pattern" in schema else part
    part = _quoted(found.part)
    fits = least <= found.least and found.most <= end
    return part if fits else replace(part, exact=False)


def _formed(schema: Mapping[str, Any], most: int) -> Piece | None:
    """The grammar of the pattern, or else of the format, if there is one that can be written."""
    expression = schema.get("pattern")
    if expression is None:
        written = _FORMATS.get(str(schema.get("format")))
        piece = pattern(written, 40) if written else None
        return piece if piece and piece.most <= schema.get("maxLength", piece.most) else None
    try:
        return pattern(expression, min(most, schema.get("maxLength", most), 60))
    except Unwritable:
        return None


def _quoted(part: Part) -> Part:
    return sequence([literal('"'), part, literal('"')])

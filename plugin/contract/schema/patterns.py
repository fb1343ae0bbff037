"""Regular expressions of schemas: ECMA-262 as documents write it, for a stricter engine."""

import re

import jsonschema_rs

_DELIMITED = re.compile(r"/(\^.*\$)/[a-z]*", re.DOTALL)
"""A JavaScript literal, slashes and all; anchors inside show that no slash was meant."""

_CLASS_RANGE = re.compile(r"(\\[dswDSW])-(?!\])")
"""`[\\w-.]`: a hyphen that can make no range is itself in ECMA-262, an error in the engine."""

_LITERAL_BRACE = re.compile(r"(?<!\\)(?<!\\[pPux])\{(?!\d+(?:,\d*)?\})")
"""`{[0-9]`: a brace that opens no count is itself in ECMA-262."""

_PYTHON_ANCHORS = ((r"\A", "^"), (r"\Z", "$"), (r"\z", "$"))


def compilable(pattern: str) -> str | None:
    """The pattern in a form that validators take, unchanged where possible; None if none."""
    if _compiles(pattern):
        inner = _DELIMITED.fullmatch(pattern)
        return inner[1] if inner and _compiles(inner[1]) else pattern
    mended = _CLASS_RANGE.sub(r"\1\\-", pattern)
    mended = _LITERAL_BRACE.sub(r"\\{", mended)
    for python, ecma in _PYTHON_ANCHORS:
        mended = mended.replace(python, ecma)
    return mended if _compiles(mended) else None


def _compiles(pattern: str) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, offline=True)
    except ValueError:
        return False
    return True

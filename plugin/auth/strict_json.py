"""JSON from strangers, read so that two readers cannot disagree and none breaks."""

import json
import math
import re
from typing import Any

_DEEPEST = 16  # real tokens nest three or four deep; Python's reader breaks near a thousand
# A string that never ends is taken whole, or each quote in it would be tried as a beginning.
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class NotStrict(ValueError):  # noqa: N818 - names say what is wrong, not that it is an error
    """The text breaks `rule`; the message completes "it …"."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`: UTF-8, shallow, finite numbers, no member named twice."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrict("utf8", "is not UTF-8") from None
    if _depth(text) > _DEEPEST:
        raise NotStrict("depth", f"nests more than {_DEEPEST} levels deep")
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_constant=_constant, parse_float=_finite
        )
    except NotStrict:
        raise
    except (ValueError, RecursionError):
        raise NotStrict("json", "is not JSON") from None
    if not isinstance(value, dict):
        raise NotStrict("json", "is not a JSON object")
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _BRACKET.finditer(text):
        match found[0]:
            case "[" | "{":
                depth += 1
                deepest = max(deepest, depth)
            case "]" | "}":
                depth -= 1
    return deepest


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise NotStrict("duplicate_member", "names a member twice")
    return members


def _constant(_name: str) -> float:
    raise NotStrict("finite", "holds a number that JSON does not have")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict("finite", "holds a number that is not finite")
    return number

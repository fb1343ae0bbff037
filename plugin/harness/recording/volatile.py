"""What an answer says differently each time: moments, random ids, ids that the service gives."""

import re
from collections.abc import Iterator
from typing import Any

from plugin.contract.pointer import child

_WHEN = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?.*")
_RANDOM = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}"
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}|[a-z]{2,8}_[A-Za-z0-9]{10,}"
)
"""UUID, digest, ULID, and ids with a prefix (`req_…`)."""

_ID_KEY = re.compile(r"(?:id|uuid|guid)|.*[_-](?:id|uuid|guid)|.*[a-z](?:Id|ID|Uuid)")
_PASSING_KEY = re.compile(
    r".*(?:createdat|updatedat|modifiedat|startedat|finishedat|expiresat|timestamp|lastmodified"
    r"|elapsed|elapsedms|latency|latencyms|duration|durationms|took|tookms|uptime|etag|nonce"
    r"|cursor|pagetoken|requestid|traceid|correlationid)"
)
"""Keys, in small letters and digits alone, of what passes: moments, durations, places in a list."""


def volatile(value: Any, arguments: Any) -> list[str]:
    """Pointers to what will be different next time by its shape or name.

    What the call itself said is not: `{"id": 7}` for the arguments `{"id": 7}` is an answer.
    """
    mentioned = frozenset(leaf for _, _, leaf in _leaves(arguments, "", ""))
    return [
        at
        for at, key, leaf in _leaves(value, "", "")
        if leaf is not None
        and not isinstance(leaf, bool)
        and leaf not in mentioned
        and _is_volatile(key, leaf)
    ]


def _is_volatile(key: str, leaf: Any) -> bool:
    if isinstance(leaf, str) and (_WHEN.fullmatch(leaf) or _RANDOM.fullmatch(leaf)):
        return True
    folded = re.sub(r"[\W_]+", "", key).lower()
    return bool(_ID_KEY.fullmatch(key) or _PASSING_KEY.fullmatch(folded))


def _leaves(value: Any, at: str, key: str) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, child(at, name), name)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _leaves(part, child(at, index), key)
    else:
        yield at, key, value

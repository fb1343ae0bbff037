"""The headers that clients of the GPT API expect on every answer, errors too."""

from collections.abc import Sequence

_VERSION = b"2020-10-01"

# Until the gate keeps limits there are none: the greatest number that every client can read.
_UNLIMITED = b"2147483647"
_LIMITS = tuple(
    (f"x-ratelimit-{what}-{of}".encode(), b"0s" if what == "reset" else _UNLIMITED)
    for what in ("limit", "remaining", "reset")
    for of in ("requests", "tokens")
)


def openai_headers(seconds: float) -> Sequence[tuple[bytes, bytes]]:
    """They are made when an answer begins, `seconds` after its request came."""
    spent = b"%d" % max(1, round(seconds * 1000))
    return ((b"openai-processing-ms", spent), (b"openai-version", _VERSION), *_LIMITS)

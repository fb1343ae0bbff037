"""The headers that clients of the GPT API expect on every answer, errors too; limits apart."""

from collections.abc import Sequence

_VERSION = b"2020-10-01"


def openai_headers(seconds: float) -> Sequence[tuple[bytes, bytes]]:
    """They are made when an answer begins, `seconds` after its request came."""
    spent = b"%d" % max(1, round(seconds * 1000))
    return ((b"openai-processing-ms", spent), (b"openai-version", _VERSION))

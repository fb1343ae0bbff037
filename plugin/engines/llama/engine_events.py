"""The embedded engine's event stream, read into the JSON objects that it carries."""

from collections.abc import AsyncIterator
from typing import Any

import orjson

from plugin.engines.llama.refusals import broken_off, told_refusal

_DONE = b"[DONE]"


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The object of each event, however the bytes are cut; ends at `[DONE]`.

    Raises what the engine tells as an error, and `EngineUnavailable` when it ends too early.
    """
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        for event in whole:
            data = _data(event)
            if data == _DONE:
                return
            if data:
                yield _object(data)
    raise broken_off()


def _data(event: bytes) -> bytes:
    lines = event.split(b"\n")
    # older versions of the engine tell errors in a field of that name
    told = [line.partition(b":")[2].strip() for line in lines if line[:5] in {b"data:", b"error"}]
    return b"\n".join(told)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = orjson.loads(data)
    except ValueError:
        raise broken_off() from None
    if "error" in value:
        raise told_refusal(value["error"])
    if "message" in value and "code" in value:
        raise told_refusal(value)
    return value

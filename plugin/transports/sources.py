"""Where a command's input comes from: a file, standard input, or a URL, guarded."""

from pathlib import Path

import typer

from plugin.errors import CannotRun
from plugin.masking import masked_address

_STANDARD_INPUT = "-"
_LARGEST = 64_000_000
"""Bytes of a fetched document: five times the largest that is published."""

_SECONDS = 60.0


def load(source: str) -> bytes:
    """The bytes of a path, of `-`, or of an http(s) URL. Raises CannotRun with what to do next."""
    if source == _STANDARD_INPUT:
        return typer.get_binary_stream("stdin").read()
    if source.startswith(("http://", "https://")):
        return _fetched(source)
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise CannotRun(
            f"cannot read {source}: {error.strerror or error}; give a file, a URL, or -"
        ) from error
    except ValueError as error:  # a NUL in the name
        raise CannotRun(f"cannot read {source!r}: {error}; give a file, a URL, or -") from error


def _fetched(url: str) -> bytes:
    import asyncio

    from plugin.errors import SourceUnavailable
    from plugin.outbound.client import Fetched, GuardedClient, Limits

    async def fetch() -> Fetched:
        limits = Limits(total=_SECONDS, body=_LARGEST)
        async with GuardedClient(allow_loopback=True, limits=limits) as client:
            return await client.fetch(url)

    try:
        fetched = asyncio.run(fetch())
    except SourceUnavailable as error:
        raise CannotRun(f"cannot fetch {masked_address(url)}: {error.detail}") from error
    if not 200 <= fetched.status < 300:  # noqa: PLR2004 - the class of success
        raise CannotRun(
            f"cannot fetch {masked_address(url)}: it answered with status {fetched.status}"
        )
    return fetched.body

import asyncio
import errno
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from plugin.api.spooled_body import SpooledBody
from plugin.errors import NoSpace
from tests.pools.threads import some_threads

LARGE = bytes(range(256)) * 5_000


def scope(content_type: bytes = b"application/json", **more: Any) -> dict[str, Any]:
    headers = [(b"content-type", content_type)]
    return {"method": "POST", "path": "/a", "query_string": b"", "headers": headers, **more}


class Connection:
    """Gives the pieces of a body, then says that the caller has left."""

    def __init__(self, pieces: Sequence[bytes], *, whole: bool = True) -> None:
        self._pieces = list(pieces)
        self._whole = whole

    async def __call__(self) -> dict[str, Any]:
        if not self._pieces:
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        more = bool(self._pieces) or not self._whole
        return {"type": "http.request", "body": piece, "more_body": more}


async def fingerprint(pieces: Sequence[bytes], of: dict[str, Any] | None = None) -> bytes:
    with SpooledBody(of or scope(), some_threads()) as body:
        await body.read(Connection(pieces))
        return body.fingerprint()


@pytest.mark.parametrize(
    "pieces", [[b""], [b"{}"], [b"", b"a", b"", b"bc"], [LARGE], [LARGE[:700_000], LARGE[700_000:]]]
)
async def test_it_is_given_on_as_it_came_and_then_what_the_connection_says(
    pieces: list[bytes],
) -> None:
    with SpooledBody(scope(), some_threads()) as body:
        await body.read(Connection(pieces))
        got, more = b"", True
        while more:
            message = await body.again()
            got += message["body"]
            more = message["more_body"]
        assert got == b"".join(pieces)
        assert await body.again() == {"type": "http.disconnect"}
        assert await body.again() == {"type": "http.disconnect"}


async def test_a_large_one_lies_in_the_folder_and_not_where_temporary_files_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    folder = tmp_path / "spool"
    folder.mkdir()
    with SpooledBody(scope(), some_threads(), folder) as body:
        await body.read(Connection([LARGE]))
        assert (await body.again())["body"] == LARGE[:262_144]
    assert list(folder.iterdir()) == []


async def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SpooledBody(scope(), some_threads(), tmp_path) as body:

        def full(_piece: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        file = SimpleNamespace(write=full, close=body._file.close)
        monkeypatch.setattr(body, "_file", file)
        with pytest.raises(NoSpace):
            await body.read(Connection([LARGE]))


async def test_who_shall_not_learn_of_it_is_not_told_that_the_caller_left() -> None:
    with SpooledBody(scope(), some_threads()) as body:
        await body.read(Connection([b"{}"]))
        assert (await body.again_and_stay())["body"] == b"{}"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(body.again_and_stay(), 0.01)


async def test_a_caller_who_leaves_in_the_middle_is_noticed() -> None:
    with SpooledBody(scope(), some_threads()) as body, pytest.raises(ClientDisconnect):
        await body.read(Connection([b"{"], whole=False))


async def test_only_an_equal_request_has_the_same_fingerprint() -> None:
    others = [
        await fingerprint([b'{"a": 1}'], of)
        for of in (
            scope(),
            scope(path="/b"),
            scope(method="PUT"),
            scope(query_string=b"x=1"),
            scope(b"application/json; charset=utf-8"),
        )
    ]
    others += [await fingerprint([text]) for text in (b'{"a":1}', b"", b'{"a": 1} ')]
    assert len(set(others)) == len(others)
    assert await fingerprint([b'{"a"', b": 1}"]) == others[0]


def form(boundary: bytes, *values: bytes) -> bytes:
    head = b'\r\ncontent-disposition: form-data; name="a"\r\n\r\n'
    return b"".join(b"--%s%s%s\r\n" % (boundary, head, value) for value in values) + (
        b"--%s--\r\n" % boundary
    )


@given(
    values=st.lists(st.binary(max_size=60), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    boundary=st.text("abAB-", min_size=1, max_size=12).map(str.encode),
)
def test_the_boundary_of_a_form_and_the_pieces_that_it_comes_in_do_not_count(
    values: list[bytes], cuts: list[int], boundary: bytes
) -> None:
    plain = b"0123456789"
    if any(mark in value for value in values for mark in (b"-", b"a", b"b", b"A", b"B", plain)):
        return
    whole = form(boundary, *values)
    places = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(places)]
    mine = scope(b'Multipart/Form-Data; charset=x; boundary="%s"' % boundary)
    theirs = scope(b'Multipart/Form-Data; charset=x; boundary="%s"' % plain)

    async def both() -> tuple[bytes, bytes]:
        return await fingerprint(pieces, mine), await fingerprint([form(plain, *values)], theirs)

    if boundary not in form(plain, *values):
        first, second = asyncio.run(both())
        assert first == second


async def test_another_form_has_another_fingerprint() -> None:
    found = [
        await fingerprint([form(b"xyz", *values)], scope(b"multipart/form-data; boundary=xyz"))
        for values in ((b"one", b"two"), (b"one", b"tw0"), (b"onetwo",), (b"two", b"one"))
    ]
    assert len(set(found)) == 4

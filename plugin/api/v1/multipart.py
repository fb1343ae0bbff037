"""Multipart forms, read as they come: fields are kept, the bytes of files are handed on."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from plugin.errors import InvalidRequest, UnsupportedMediaType
from plugin.pools.threads import Threads

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_AT_ONCE = 262_144
"""Bytes that go to a thread together."""

_LONGEST_FIELD = 200_000
_LONGEST_HEADER = 65_536  # a file name may be long; it is cut later
_MOST_PARTS = 100


class FormReader:
    """Reads one form. Parts named in `files`, and those with a file name, are files.

    `fields` are the others, as text. `uploads` are the names of the files' parts and what the
    caller calls them; their bytes go to `write`, piece by piece.
    """

    def __init__(
        self, content_type: str, files: Collection[str], write: Callable[[bytes], object]
    ) -> None:
        self.fields: dict[str, str] = {}
        self.uploads: list[tuple[str, str]] = []
        self._file_names = frozenset(files)
        self._write = write
        self._name = ""
        self._is_file = False
        self._header, self._value, self._disposition = b"", b"", b""
        self._field = bytearray()
        self._complete = False
        try:
            self._parser = MultipartParser(
                _boundary(content_type), self._callbacks(), max_header_size=_LONGEST_HEADER
            )
        except FormParserError as error:
            raise _broken(str(error)) from None

    def feed(self, piece: bytes) -> None:
        """Read on; blocks where `write` does. Raises `InvalidRequest` for what is no form."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _broken(str(error)) from None

    def finish(self) -> None:
        """Say that nothing follows; raises `InvalidRequest` when the form has no end."""
        if not self._complete:
            raise _broken("it ends before its closing boundary")

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._name_part,
            "on_part_data": self._data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition, self._field = b"", bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _name_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        given = options.get(b"filename")
        if not self._name:
            raise _broken("a part has no name")
        if self._name in self.fields:
            raise InvalidRequest(f"`{self._name[:64]}` was sent twice.", param=self._name[:64])
        if len(self.fields) + len(self.uploads) == _MOST_PARTS:
            raise _broken(f"it has more than {_MOST_PARTS} parts")
        self._is_file = given is not None or self._name in self._file_names
        if self._is_file:
            self.uploads.append((self._name, (given or b"").decode(errors="replace")))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._write(data[start:end])
            return
        self._field += data[start:end]
        if len(self._field) > _LONGEST_FIELD:
            raise InvalidRequest(
                f"`{self._name[:64]}` is longer than {_LONGEST_FIELD} bytes.", param=self._name[:64]
            )

    def _end_part(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._field.decode(errors="replace")

    def _end(self) -> None:
        self._complete = True


async def read_form(request: Request, form: FormReader, threads: Threads) -> None:
    """Read the whole body of a request into `form`, which works in one of `threads`."""
    held: list[bytes] = []
    size = 0
    async for piece in request.stream():
        held.append(piece)
        size += len(piece)
        if size >= _AT_ONCE:
            await threads.run(form.feed, b"".join(held))
            held, size = [], 0
    await threads.run(form.feed, b"".join(held))
    form.finish()


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        came = content_type.partition(";")[0][:80] or "no media type at all"
        raise UnsupportedMediaType(
            f"The body came as {came}; send a form, with the header content-type: "
            "multipart/form-data and its boundary."
        )
    return options[b"boundary"]


def _broken(reason: str) -> InvalidRequest:
    return InvalidRequest(f"The body is no multipart form that can be read: {reason}.")

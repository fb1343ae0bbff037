"""`/v1/files`: upload, list, retrieve, read and delete."""

from typing import Annotated, Any, BinaryIO, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from plugin.api.v1.multipart import FormReader, read_form
from plugin.errors import InvalidRequest, NotFound
from plugin.gpt.files import PURPOSES, Files, NewFile, Page, StoredFile
from plugin.operations import CurrentCaller, Pools, QueryArguments, operation
from plugin.pools.threads import Threads

router = APIRouter(prefix="/v1/files", tags=["files"])

FORM_ALLOWANCE = 1_048_576
"""Bytes that the form around a file may take."""

_PIECE = 262_144
_SHORTEST_LIFE, _LONGEST_LIFE = 3_600, 2_592_000
_FIELDS = frozenset({"purpose", "expires_after[anchor]", "expires_after[seconds]", "model"})
"""`model` came with the API of 2022, where it meant nothing either."""

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": list(PURPOSES)},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {
                            "type": "integer",
                            "minimum": _SHORTEST_LIFE,
                            "maximum": _LONGEST_LIFE,
                        },
                        "model": {"type": "string", "deprecated": True},
                    },
                }
            }
        },
    }
}

FileId = Annotated[str, Path(description="The id of the file, as upload or list gave it.")]


class FileObject(BaseModel):
    """A file that is kept."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"


class FileList(BaseModel):
    """Files of the key's owner."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str
    last_id: str
    has_more: bool


class DeletedFile(BaseModel):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class ListFiles(QueryArguments):
    """Which files to list."""

    purpose: str | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    after: str | None = None
    order: Literal["asc", "desc"] = "desc"


@router.post(
    "",
    operation_id="create_file",
    summary="Upload a file",
    response_model_exclude_none=True,
    openapi_extra=_FORM,
)
@operation(scope="files:write")
async def create_file(request: Request, caller: CurrentCaller, pools: Pools) -> FileObject:
    """Upload a file. Lines of JSON for fine-tune and batch are checked before it is kept."""
    files = _files(request)
    announced = request.headers.get("content-length", "")
    least = int(announced) - FORM_ALLOWANCE if announced.isdecimal() else 0
    await files.check_quota(caller.id, max(0, least))
    async with pools.uploads.turn(), files.incoming() as incoming:
        form = FormReader(request.headers.get("content-type", ""), ("file",), incoming.write)
        await read_form(request, form, files.threads)
        return _written(await files.add(caller.id, _new_file(form), incoming))


@router.get("", operation_id="list_files", summary="List files", response_model_exclude_none=True)
@operation(scope="files:read")
async def list_files(
    query: Annotated[ListFiles, Query()], request: Request, caller: CurrentCaller
) -> FileList:
    """List the files of this key's owner, the newest first."""
    page = Page(query.limit, query.after, query.purpose, oldest_first=query.order == "asc")
    found, more = await _files(request).page(caller.id, page)
    data = [_written(one) for one in found]
    return FileList(
        data=data,
        first_id=data[0].id if data else "",
        last_id=data[-1].id if data else "",
        has_more=more,
    )


@router.get(
    "/{file_id}",
    operation_id="retrieve_file",
    summary="Retrieve a file",
    response_model_exclude_none=True,
)
@operation(scope="files:read", raises=(NotFound,))
async def retrieve_file(file_id: FileId, request: Request, caller: CurrentCaller) -> FileObject:
    """What is known of a file."""
    return _written(await _files(request).get(caller.id, file_id))


@router.get(
    "/{file_id}/content",
    operation_id="download_file",
    summary="Read a file",
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}},
)
@operation(scope="files:read", raises=(NotFound,))
async def download_file(file_id: FileId, request: Request, caller: CurrentCaller) -> Response:
    """The bytes of a file, as they came."""
    files = _files(request)
    return _Content(*await files.open(caller.id, file_id), files.threads)


@router.delete("/{file_id}", operation_id="delete_file", summary="Delete a file")
@operation(scope="files:write", raises=(NotFound,))
async def delete_file(file_id: FileId, request: Request, caller: CurrentCaller) -> DeletedFile:
    """Delete a file for good."""
    await _files(request).delete(caller.id, file_id)
    return DeletedFile(id=file_id)


class _Content(Response):
    """Sends a file from the disk, for saving and never for showing."""

    media_type = "application/octet-stream"

    def __init__(self, stored: StoredFile, content: BinaryIO, threads: Threads) -> None:
        plain = stored.filename.encode("ascii", "replace").decode().replace('"', "'")
        disposition = f'attachment; filename="{plain.replace(chr(92), "_")}"'
        if plain != stored.filename:
            disposition += f"; filename*=UTF-8''{quote(stored.filename, safe='')}"
        super().__init__(
            headers={
                "content-length": str(stored.bytes),
                "content-disposition": disposition,
                "x-content-type-options": "nosniff",
                "cache-control": "private, no-store",
            }
        )
        self._content = content
        self._threads = threads

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        with self._content as content:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            piece = b"" if scope["method"] == "HEAD" else b"more"
            while piece:
                piece = await self._threads.run(content.read, _PIECE)
                message = {"type": "http.response.body", "body": piece, "more_body": bool(piece)}
                await send(message)


def _files(request: Request) -> Files:
    files: Files = request.app.state.services.files
    return files


def _written(stored: StoredFile) -> FileObject:
    return FileObject(
        id=stored.id,
        bytes=stored.bytes,
        created_at=stored.created_at,
        expires_at=stored.expires_at,
        filename=stored.filename,
        purpose=stored.purpose,
    )


def _new_file(form: FormReader) -> NewFile:
    for name in (*form.fields, *(part for part, _ in form.uploads if part != "file")):
        if name not in _FIELDS:
            raise InvalidRequest(
                f"The form has a part `{name[:64]}`, which is not known here; it takes file, "
                "purpose, expires_after[anchor] and expires_after[seconds].",
                param=name[:64],
            )
    for name, _ in form.uploads:
        if name != "file":
            raise InvalidRequest(f"`{name}` came as a file; send it as a field.", param=name)
    if len(form.uploads) != 1:
        raise InvalidRequest(f"One file is asked for; {len(form.uploads)} came.", param="file")
    purpose = form.fields.get("purpose")
    if purpose not in PURPOSES:
        came = "it is missing" if purpose is None else f"got {purpose[:64]!r}"
        raise InvalidRequest(
            f"purpose must be one of {', '.join(PURPOSES)}; {came}.", param="purpose"
        )
    return NewFile(form.uploads[0][1], purpose, _expiry(form))


def _expiry(form: FormReader) -> int | None:
    anchor = form.fields.get("expires_after[anchor]")
    seconds = form.fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise InvalidRequest('expires_after[anchor] must be "created_at".', param="expires_after")
    if (
        seconds is None
        or not (
            seconds.isascii() and seconds.isdigit() and len(seconds) < len(str(_LONGEST_LIFE)) + 1
        )
        or not _SHORTEST_LIFE <= int(seconds) <= _LONGEST_LIFE
    ):
        raise InvalidRequest(
            f"expires_after[seconds] must be a whole number from {_SHORTEST_LIFE} to "
            f"{_LONGEST_LIFE}.",
            param="expires_after",
        )
    return int(seconds)

"""A call's arguments into an HTTP request, as the contract says each of them travels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from plugin.contract.answers import Declared, answer_schema
from plugin.contract.operation import Operation, Parameter
from plugin.contract.requests.payload import encode_body
from plugin.contract.requests.styles import (
    NotExpressible,
    cookie_pairs,
    header_text,
    path_text,
    query_pairs,
)
from plugin.contract.schema.nulls import without_added_nulls

__all__ = ["Declared", "NotExpressible", "Request", "answer_schema", "build"]

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_LITERAL = "/?!$&'()*+,;=:@%-._~"
_FORBIDDEN_IN_HEADERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})
"""Headers that say where a request goes and where it ends: no argument may set them."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `path` is percent-encoded, without the server; `query` has no `?`."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def build(
    operation: Operation, arguments: Mapping[str, Any], *, keep_nulls: bool = False
) -> Request:
    """The request that a call means; its arguments are taken as they are, not judged.

    Nulls that stand for "left out", as strict tools have them, are dropped unless `keep_nulls`.
    Raises NotExpressible for a value that cannot travel where the contract puts it: a path segment
    that would be another path, a header with a line break, a missing part of the path.
    """
    query: list[str] = []
    headers: list[tuple[str, str]] = []
    cookies: list[str] = []
    in_path: dict[str, str] = {}
    left = _given(operation, arguments, keep_nulls=keep_nulls)
    for parameter in operation.parameters:
        value = left.pop(parameter.argument, None)
        if parameter.location == "path":
            in_path[parameter.name] = path_text(parameter, value)
        elif value is None:
            continue
        elif parameter.location == "query":
            query.extend(query_pairs(parameter, value))
        elif parameter.location == "cookie":
            cookies.extend(cookie_pairs(parameter, value))
        else:
            headers.append(_header(parameter, value))
    body, content_type = _body(operation, left)
    if content_type:
        headers.insert(0, ("content-type", content_type))
    if cookies:
        headers.append(("cookie", "; ".join(cookies)))
    path, _, fixed_query = _path(operation.path.partition("#")[0], in_path).partition("?")
    return Request(
        method=operation.method,
        path=path,
        query="&".join([fixed_query, *query] if fixed_query else query),
        headers=tuple(headers),
        body=body,
    )


def _given(
    operation: Operation, arguments: Mapping[str, Any], *, keep_nulls: bool
) -> dict[str, Any]:
    given = dict(arguments)
    return given if keep_nulls else dict(without_added_nulls(operation.schema, given))


def _path(template: str, values: Mapping[str, str]) -> str:
    pieces = []
    for index, piece in enumerate(_PLACEHOLDER.split(template)):
        pieces.append(values[piece] if index % 2 else quote(piece, safe=_LITERAL))
    path = "".join(pieces)
    for segment in path.partition("?")[0].split("/"):
        if segment in (".", ".."):
            name = next(iter(values), "path")
            raise NotExpressible(name, f"{segment!r} would lead to another path")
    return path


def _header(parameter: Parameter, value: Any) -> tuple[str, str]:
    text = header_text(parameter, value)
    if parameter.name.lower() in _FRAMING:
        raise NotExpressible(parameter.argument, "that header frames the request itself")
    if not _TOKEN.fullmatch(parameter.name):
        raise NotExpressible(parameter.argument, f"{parameter.name!r} is no header name")
    if _FORBIDDEN_IN_HEADERS.search(text):
        raise NotExpressible(
            parameter.argument, "a header cannot hold line breaks or control characters"
        )
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        text = quote(text, safe=" !#$&'()*+,/:;=?@[]%-._~\"<>\\^`{|}")
    return parameter.name, text


def _body(operation: Operation, left: Mapping[str, Any]) -> tuple[bytes, str]:
    """The bytes and their content type; both empty where the call gives no body."""
    body = operation.body
    if body is None:
        _refuse_unknown(left)
        return b"", ""
    if body.flat:
        value: Any = dict(left)
        if not value and not body.required:
            return b"", ""
    else:
        given = dict(left)
        value = given.pop(body.argument, None)
        _refuse_unknown(given)
        if value is None and not (body.required and body.argument in left):
            return b"", ""
    return encode_body(body, value)


def _refuse_unknown(left: Mapping[str, Any]) -> None:
    for name in left:
        raise NotExpressible(
            name, "the operation has no such argument, so it has no place to travel"
        )

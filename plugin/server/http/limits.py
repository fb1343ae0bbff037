"""What the head of a request may be: its size, its version, its host, its target."""

import re

import httptools

from plugin.errors import (
    HeadersTooLarge,
    MalformedRequest,
    MethodNotAllowed,
    NotOffered,
    Overloaded,
    PluginError,
    UrlTooLong,
    VersionNotSupported,
)

Headers = list[tuple[bytes, bytes]]

HEADER_BYTES = 65_536
"""The header fields of one request together, as they are sent; its trailer fields too."""
HEADER_FIELDS = 100
URL_BYTES = 16_384
HEAD_BYTES = HEADER_BYTES + URL_BYTES + 1_024
"""A head that is not complete by then: spaces and line ends come on top of the limits above."""
FRAMING_BYTES = 16
"""What may frame one byte of a chunked body, beyond `HEADER_BYTES` for the whole body."""

OF_OPERATORS = frozenset({b"/healthz", b"/readyz", b"/metrics"})
"""What is still answered when no more connections may be accepted."""

_FIELD = len(b": \r\n")
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_WRONG_VERSION = "Invalid HTTP version"
_VERSIONS = frozenset({"1.0", "1.1"})


def headers_too_large() -> PluginError:
    """The error for too many header fields or bytes."""
    return HeadersTooLarge(
        f"A request may have {HEADER_FIELDS} header fields and {HEADER_BYTES} bytes of them at "
        "most, trailer fields counted apart; send fewer or shorter ones."
    )


def url_too_long() -> PluginError:
    """The error for a URL over the limit."""
    return UrlTooLong(
        f"A URL may have {URL_BYTES} bytes at most; send what is longer in the body of a request."
    )


def no_tunnel() -> PluginError:
    """The error for CONNECT."""
    return MethodNotAllowed(
        "This service opens no tunnels. Send the request to it without CONNECT.",
        headers={"allow": "GET, POST, PUT, PATCH, DELETE"},
    )


def no_place() -> PluginError:
    """The error for a connection that is one too many."""
    return Overloaded(
        "All connections of this service are in use, so it did nothing. Retry after 1 s."
    )


def bytes_of(headers: Headers) -> int:
    """How many bytes the fields have as they are sent, without optional spaces."""
    return sum(len(name) + len(value) + _FIELD for name, value in headers)


def head_fault(
    method: bytes, version: str, url: bytes, hosts: list[bytes], codings: list[bytes]
) -> PluginError | None:
    """What is wrong with a head that the parser let pass; None if nothing is.

    `hosts` are the values of its Host fields, `codings` those of Transfer-Encoding, in lower case.
    """
    if version not in _VERSIONS:
        return VersionNotSupported(f"This service speaks HTTP/1.1, not HTTP/{version}.")
    if url == b"*" and method != b"OPTIONS":
        return MalformedRequest("Only OPTIONS may have `*` as its target; send a path.")
    fault = _host_fault(version, hosts)
    return _coding_fault(version, codings) if fault is None and codings else fault


def _host_fault(version: str, hosts: list[bytes]) -> PluginError | None:
    if len(hosts) > 1:
        return MalformedRequest("A request may have one Host header; this one has several.")
    if not hosts and version == "1.1":
        return MalformedRequest("An HTTP/1.1 request needs a Host header; send one.")
    if hosts and not _HOST.fullmatch(hosts[0]):
        return MalformedRequest("The Host header may hold a host name and a port only.")
    return None


def _coding_fault(version: str, codings: list[bytes]) -> PluginError | None:
    if version == "1.0":
        return MalformedRequest("HTTP/1.0 has no Transfer-Encoding; send Content-Length.")
    if codings != [b"chunked"]:
        return NotOffered("Transfer-Encoding may be `chunked` only; send no other coding.")
    return None


def with_path(url: bytes) -> bytes:
    """A URL in absolute form with the path that it means, where it has none."""
    if url.startswith(b"/"):
        return url
    start, mark, query = url.partition(b"?")
    if start.count(b"/") == len(b"//"):
        start += b"/"
    return start + mark + query


def explained(error: httptools.HttpParserError) -> PluginError:
    """The error for bytes that the parser refuses."""
    if isinstance(error, httptools.HttpParserCallbackError | httptools.HttpParserInvalidURLError):
        return MalformedRequest("The target of the request is not a valid URL.")
    reason = str(error)
    if reason == _WRONG_VERSION:
        return VersionNotSupported("This service speaks HTTP/1.1, not the version that was sent.")
    said = f": {reason[0].lower()}{reason[1:]}" if reason else ""
    return MalformedRequest(f"This is not a valid HTTP/1.1 request{said}.")

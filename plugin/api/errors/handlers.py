"""Every error becomes a `Problem` here, with what to do next; each door writes it in its form."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.routing import RouteContext
from starlette.exceptions import HTTPException

from plugin.api.errors.argument_faults import MOST_FAULTS, NOTHING, UNKNOWN, faults
from plugin.errors import (
    ArgumentFault,
    BodyTooLarge,
    HeadersTooLarge,
    InvalidArguments,
    MethodNotAllowed,
    NotAuthenticated,
    NotFound,
    PluginError,
    RequestTimedOut,
    StorageUnavailable,
    UnsupportedMediaType,
)
from plugin.storage.database import FAILURES, will_pass

log = logging.getLogger(__name__)

_BY_STATUS: Mapping[int, type[PluginError]] = {
    error.status: error
    for error in (
        NotAuthenticated,
        NotFound,
        MethodNotAllowed,
        RequestTimedOut,
        BodyTooLarge,
        UnsupportedMediaType,
        InvalidArguments,
        HeadersTooLarge,
    )
}


_IN_VAIN = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.INSUFFICIENT_STORAGE})
"""What OpenAI's SDKs would try again, uploads and all, unless told that it is no use."""


_NO_DATABASE = (
    "This service cannot use its database now: it is locked for too long, or its disk is full. "
    "What was asked for was not done; the call may be right. Try again; if it goes on, the "
    "operator must see what holds plugin.db or fills its disk."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, before a door gives it its form."""

    error: Exception
    status: int
    code: str
    title: str
    detail: str
    faults: Sequence[ArgumentFault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = PluginError.kind

    @property
    def retry_is_useless(self) -> bool:
        """Whether the same request would fail again, although its status says otherwise."""
        return self.status in _IN_VAIN

    def as_rfc9457(self, request_id: str) -> dict[str, Any]:
        """Return the members of the problem document."""
        body: dict[str, Any] = {
            "type": f"urn:gpt-plugin:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
        }
        if self.faults:
            body["errors"] = [_written(fault) for fault in self.faults]
        return body


def problem(error: Exception, route: RouteContext | None, request_id: str) -> Problem:
    """The answer to `error`; `route` is the one that raised it, None before one was found."""
    if isinstance(error, FAILURES) and will_pass(error):
        log.warning("the database cannot be used now: %s", error)
        error = StorageUnavailable(_NO_DATABASE)
    match error:
        case PluginError():
            detail = error.detail
            return Problem(
                error,
                error.status,
                error.code,
                error.title,
                detail,
                error.faults,
                error.headers,
                error.kind,
            )
        case RequestValidationError() if route is not None:
            return _invalid(error, route, error.errors())
        case HTTPException():
            return _from_http(error)
    log.error("request %s failed", request_id, exc_info=error)
    return Problem(
        error,
        PluginError.status,
        PluginError.code,
        PluginError.title,
        "The service failed; the call may be right. Try again once; if it fails again, tell the "
        f"operator of this service the request id {request_id}.",
        kind="server_error",
    )


def _invalid(error: Exception, route: RouteContext, errors: Sequence[Mapping[str, Any]]) -> Problem:
    shown = list(faults(route, errors[:MOST_FAULTS]))
    sentences = [_sentence(fault) for fault in shown]
    if len(errors) > MOST_FAULTS:
        sentences.append(f"{len(errors) - MOST_FAULTS} more faults are not listed.")
    kind = InvalidArguments
    return Problem(error, kind.status, kind.code, kind.title, " ".join(sentences), shown)


def _sentence(fault: ArgumentFault) -> str:
    name = f"`{_argument(fault.pointer)}`"
    if fault.expected.startswith(UNKNOWN):
        meant = f"; did you mean `{fault.nearest}`?" if fault.nearest is not None else "."
        return f"Unknown argument {name}{meant} A{fault.expected.removeprefix(f'{UNKNOWN}; a')}."
    if fault.got == NOTHING:
        return f"{name} is missing; give {fault.expected}."
    meant = (
        f" The nearest valid value is {_json(fault.nearest)}." if fault.nearest is not None else ""
    )
    return f"{name} must be {fault.expected}; got {_json(fault.got)}.{meant}"


def _written(fault: ArgumentFault) -> dict[str, Any]:
    written = {
        "argument": _argument(fault.pointer),
        "pointer": fault.pointer,
        "expected": fault.expected,
        "got": fault.got,
    }
    return written if fault.nearest is None else {**written, "nearest": fault.nearest}


def _argument(pointer: str) -> str:
    """`items[0].price` for `/items/0/price`, `body` for the whole."""
    name = ""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        name += f"[{key}]" if key.isdigit() and name else f".{key}" if name else key
    return name or "body"


def _json(value: Any) -> str:
    return dump(value).decode()


def dump(value: Any) -> bytes:
    """Return JSON, also of what a caller sent or a route said and strict JSON cannot hold."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        # Half a surrogate pair, or an integer over 64 bits, in what a caller sent or a route said.
        return json.dumps(value, default=str).encode()


def _from_http(error: HTTPException) -> Problem:
    detail = error.detail if isinstance(error.detail, str) else _json(error.detail)
    kind = _BY_STATUS.get(error.status_code)
    headers = dict(error.headers or {})
    if kind is not None:
        return Problem(error, kind.status, kind.code, kind.title, detail, headers=headers)
    title = _phrase(error.status_code)
    return Problem(
        error, error.status_code, title.lower().replace(" ", "_"), title, detail, headers=headers
    )


def _phrase(status: int) -> str:
    """Return the words of a status, also of one that no standard names, such as 499."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"

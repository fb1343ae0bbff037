"""A JSON body: read from the wire, validated from its bytes, explained when it is no JSON."""

import json
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from plugin.api.fastapi_private import ModelField, adapter_of, get_missing_field_error
from plugin.errors import InvalidArguments, PluginError, UnsupportedMediaType

_JSON = b"application/json"
_EXCERPT = 1_000
_MOST_ERRORS = 1_000


async def read(receive: Receive) -> bytes:
    """The whole body; raises `ClientDisconnect` when the caller left before its end."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        return body
    pieces: list[bytes] = []
    while message["type"] == "http.request":
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await receive()
    raise ClientDisconnect


def validate(field: ModelField, content: bytes, scope: Scope) -> tuple[Any, list[Any]]:
    """The value that a route asks for, or pydantic's errors; raises for what is no JSON at all.

    JSON is validated as JSON: a strict model still reads a date from its text.
    """
    if not content:
        if field.field_info.is_required():
            return None, [get_missing_field_error(("body",))]
        return field.validate(field.get_default(), {}, loc=("body",))
    require_json(scope)
    try:
        return adapter_of(field).validate_json(content), []  # without a dictionary between
    except (ValidationError, PluginError) as error:
        # A body that only some engines refuse is judged when the engine is known.
        postponed = getattr(field.field_info.annotation, "postponed", None)
        value = None if postponed is None else postponed(content, error)
        if value is not None:
            return value, []
        if not isinstance(error, ValidationError):
            raise
        if error.error_count() > _MOST_ERRORS:
            # Half a million of them would hold the event loop for seconds.
            raise InvalidArguments(
                f"The body breaks its schema in {error.error_count()} places; see /openapi.json, "
                "and try with a smaller value first."
            ) from None
        errors = error.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise not_json(content, errors[0]["ctx"]["error"]) from None
        return None, [{**fault, "loc": ("body", *fault["loc"])} for fault in errors]


def not_json(content: bytes, reason: str) -> RequestValidationError:
    """The error that says where JSON ends to be JSON; `reason` is used where Python finds none."""
    try:
        # Python says where and why more plainly; it also accepts a little more, such as UTF-16.
        json.loads(content)
    except json.JSONDecodeError as error:
        reason = str(error)
    except (ValueError, RecursionError):
        pass
    start = content[:_EXCERPT].decode(errors="replace")
    fault = {"type": "json_invalid", "loc": ("body",), "input": start, "ctx": {"error": reason}}
    return RequestValidationError([fault], body=content)


def is_announced(scope: Scope) -> bool:
    """Whether the request says that a body follows."""
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def require_json(scope: Scope) -> None:
    """Refuse a body of another media type."""
    came = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if came == _JSON:
        return
    media_type = came.partition(b";")[0].strip().lower()
    main, _, sub = media_type.partition(b"/")
    if main != b"application" or not (sub == b"json" or sub.endswith(b"+json")):
        named = media_type.decode("latin-1")[:80] or "no media type at all"
        raise UnsupportedMediaType(
            f"The body came as {named}; send JSON, with the header content-type: application/json."
        )


class Again:
    """Gives a body that was read to whoever reads the request once more."""

    def __init__(self, content: bytes, receive: Receive) -> None:
        self._content: bytes | None = content
        self._receive = receive

    async def __call__(self) -> Message:
        """The body first, then what the connection says."""
        if self._content is None:
            return await self._receive()
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

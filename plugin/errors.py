"""What can go wrong: each error knows its status, its code, and what to do next.

Doors render these (`api/exception_handlers.py`); nothing here knows a wire format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ArgumentFault:
    """One argument of a call that the service refused, said so that a model can mend it.

    `pointer` is a JSON pointer into the arguments, `expected` what would have been right, `got`
    what came (shortened), `nearest` the closest valid value or name, if there is one.
    """

    pointer: str
    expected: str
    got: Any = None
    nearest: Any = None


class PluginError(Exception):
    """An error with a place in HTTP. `detail` says what failed, whose side it is on, what to do."""

    status: int = 500
    code: str = "internal_error"
    title: str = "Internal error"
    kind: str = "invalid_request_error"
    """The `type` that the GPT API gives it."""

    def __init__(
        self,
        detail: str,
        *,
        faults: Sequence[ArgumentFault] = (),
        headers: Mapping[str, str] | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.param = param


class InvalidArguments(PluginError):  # noqa: N818 - names say what is wrong, not that it is an error
    """The arguments of an operation do not fit its contract."""

    status = 422
    code = "invalid_arguments"
    title = "The arguments do not fit this operation"


class NotAuthenticated(PluginError):  # noqa: N818
    """No credential, or one that is not valid; the text never says which key came."""

    status = 401
    code = "not_authenticated"
    title = "Authentication is required"


class MissingScope(PluginError):  # noqa: N818
    """A valid credential that lacks the scope the operation asks for."""

    status = 403
    code = "missing_scope"
    title = "The key lacks a scope"


class NotFound(PluginError):  # noqa: N818
    """Nothing is known under that name."""

    status = 404
    code = "not_found"
    title = "Not found"


class MethodNotAllowed(PluginError):  # noqa: N818
    """The path is known, but not with this method; the `allow` header names those that are."""

    status = 405
    code = "method_not_allowed"
    title = "The method is not allowed here"


class UnsupportedMediaType(PluginError):  # noqa: N818
    """The request body came in another media type than the operation reads."""

    status = 415
    code = "unsupported_media_type"
    title = "The media type is not supported"


class BodyTooLarge(PluginError):  # noqa: N818
    """The request body is over the limit."""

    status = 413
    code = "body_too_large"
    title = "The request body is too large"


class MalformedRequest(PluginError):  # noqa: N818
    """The bytes on the connection are not a valid HTTP request; the connection ends."""

    status = 400
    code = "bad_request"
    title = "Bad Request"


class RequestTimedOut(PluginError):  # noqa: N818
    """The headers or the body of a request did not come in time; the connection ends."""

    status = 408
    code = "request_timeout"
    title = "Request Timeout"


class UrlTooLong(PluginError):  # noqa: N818
    """The URL of a request is over the limit; the connection ends."""

    status = 414
    code = "url_too_long"
    title = "The URL is too long"


class HeadersTooLarge(PluginError):  # noqa: N818
    """The header or trailer fields of a request are over the limits; the connection ends."""

    status = 431
    code = "headers_too_large"
    title = "The header fields are too large"


class VersionNotSupported(PluginError):  # noqa: N818
    """A version of HTTP that this service does not speak; the connection ends."""

    status = 505
    code = "http_version_not_supported"
    title = "The HTTP version is not supported"


class LimitReached(PluginError):  # noqa: N818
    """A limit leaves no room for the call, and nothing was done; the text says which and when.

    `standing` is where the caller's limits stand, for the headers; `limit` is the name of the one.
    """

    status = 429
    code = "rate_limit_exceeded"
    title = "A limit is reached"
    kind = "requests"

    def __init__(
        self,
        detail: str,
        *,
        headers: Mapping[str, str],
        standing: Sequence[Any] = (),
        limit: str = "",
    ) -> None:
        super().__init__(detail, headers=headers)
        self.standing = standing
        self.limit = limit


class TokenLimitReached(LimitReached):
    """The same, for a limit of tokens."""

    kind = "tokens"


class BudgetUsedUp(LimitReached):
    """A budget has too little left for the call: waiting is of no use."""

    code = "insufficient_quota"
    title = "A budget is used up"
    kind = "insufficient_quota"


class QuotaUsedUp(PluginError):  # noqa: N818
    """What a caller stores would exceed a storage quota; nothing was stored."""

    status = 429
    code = "insufficient_quota"
    title = "A storage quota is used up"
    kind = "insufficient_quota"

    def __init__(
        self, what: str, limit: int, used: int, more: int, setting: str, remedy: str
    ) -> None:
        needed = f", and this call needs {more:,} more" if more else ""
        super().__init__(
            f"The storage quota of this key for {what} is {limit:,} bytes; {used:,} are in use"
            f"{needed}. Nothing was stored. {remedy}, or ask the operator for a larger {setting}.",
            headers={"x-should-retry": "false"},
        )


class SourceUnavailable(PluginError):  # noqa: N818
    """A service that an operation asks cannot be reached; nothing is invented in its place."""

    status = 503
    code = "source_unavailable"
    title = "The source cannot be reached"
    kind = "server_error"


class StorageUnavailable(PluginError):  # noqa: N818
    """What a call must leave in the storage cannot be written there now; it did nothing."""

    status = 503
    code = "storage_unavailable"
    title = "The storage cannot be written"
    kind = "server_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "1"})


class Overloaded(PluginError):  # noqa: N818
    """What a call needs is in use by other calls, for longer than it waits; it did nothing."""

    status = 503
    code = "overloaded"
    title = "Too many calls at once"
    kind = "server_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "1"})


class InvalidRequest(PluginError):  # noqa: N818
    """A parameter of the GPT API that is out of range or that this model cannot honour."""

    status = 400
    code = "invalid_value"
    title = "The request cannot be carried out"


class ContextLengthExceeded(PluginError):  # noqa: N818
    """The prompt has more tokens than the model reads."""

    status = 400
    code = "context_length_exceeded"
    title = "The prompt is too long for the model"


class ModelNotFound(PluginError):  # noqa: N818
    """No engine answers for that model name."""

    status = 404
    code = "model_not_found"
    title = "The model does not exist"


class EngineUnavailable(PluginError):  # noqa: N818
    """The engine of a model is not there: starting, restarting, without its files, or broken."""

    status = 503
    code = "engine_unavailable"
    title = "The engine is not available"
    kind = "server_error"


class NotOffered(PluginError):  # noqa: N818
    """A part of the GPT API without anything to answer it here; the text names the setting."""

    status = 501
    code = "not_offered"
    title = "Not offered here"
    kind = "server_error"


class NoSpace(PluginError):  # noqa: N818
    """The disk of this service has only its reserve left, or nothing; nothing was stored."""

    status = 507
    code = "insufficient_storage"
    title = "The disk is full"
    kind = "server_error"

    def __init__(self) -> None:
        super().__init__(
            "The disk of this service is full, so nothing was stored; the call may be right. The "
            "operator must make room in PLUGIN_DATA_DIR; deleting files that you no longer need "
            "helps."
        )


class UpstreamRefused(PluginError):  # noqa: N818
    """What an upstream answered instead of a result, as far as it is for the caller."""

    code = "upstream_error"
    title = "The upstream refused"

    def __init__(
        self,
        detail: str,
        *,
        status: int,
        kind: str = "server_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, headers=headers, param=param)
        self.status, self.kind = status, kind
        self.code = code or self.code
        self.answered = (status, kind, code)


class CannotRun(PluginError):  # noqa: N818
    """A command cannot do its work: bad input, a missing file, a port in use. Exit code 2."""

    code = "cannot_run"
    title = "Cannot run"

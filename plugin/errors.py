"""What can go wrong: each error knows its status, its code, and what to do next.

Doors render these (`api/exception_handlers.py`); nothing here knows a wire format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


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

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        faults: Sequence[ArgumentFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


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


class SourceUnavailable(PluginError):  # noqa: N818
    """A service that an operation asks cannot be reached; nothing is invented in its place."""

    status = 503
    code = "source_unavailable"
    title = "The source cannot be reached"


class CannotRun(PluginError):  # noqa: N818
    """A command cannot do its work: bad input, a missing file, a port in use. Exit code 2."""

    code = "cannot_run"
    title = "Cannot run"

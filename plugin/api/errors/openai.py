"""Errors as the clients of the GPT API read them: one object of message, type, param and code."""

from plugin.api.errors.argument_faults import NOTHING, UNKNOWN
from plugin.api.errors.handlers import Problem
from plugin.errors import (
    ArgumentFault,
    InvalidArguments,
    NotAuthenticated,
    NotFound,
    UpstreamRefused,
)
from plugin.idempotency.errors import KeyReused

_INSTEAD = {"/v1/responses": " Instead of the Responses API use POST /v1/chat/completions."}


class UnknownUrl(NotFound):
    """Nothing of the GPT API is at that path."""

    code = "unknown_url"


def unknown_url(method: str, path: str) -> UnknownUrl:
    """The error for a path below `/v1` where nothing is."""
    instead = next((text for start, text in _INSTEAD.items() if path.startswith(start)), "")
    return UnknownUrl(
        f"Unknown request URL: {method[:20]} {path[:200]}. Check the URL for typos; "
        f"GET /v1/openapi.json lists what there is.{instead}"
    )


def status_of(error: Exception, status: int) -> int:
    """The status of an error in the GPT API, which knows no 422 for arguments."""
    match error:
        case UpstreamRefused():
            return error.answered[0]
        case KeyReused():
            return status  # as other services answer it, and as its clients know it
    return 400 if status == InvalidArguments.status else status


def body(problem: Problem) -> dict[str, object]:
    """Return the error object; all four members are always there."""
    error, kind, detail, faults = problem.error, problem.kind, problem.detail, problem.faults
    param: str | None = getattr(error, "param", None)
    found: str | None = problem.code
    match error:
        case UpstreamRefused():
            _, kind, found = error.answered
        case NotAuthenticated():
            # Clients look for these words; the key itself is never repeated.
            detail, found = f"Incorrect API key provided. {detail}", "invalid_api_key"
    if faults:
        param, found = _argument(faults[0]), _code(faults[0])
    return {"error": {"message": detail, "type": kind, "param": param, "code": found}}


def _argument(fault: ArgumentFault) -> str | None:
    name = ""
    for part in fault.pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        name += f"[{key}]" if key.isdigit() and name else f".{key}" if name else key
    return name or None


def _code(fault: ArgumentFault) -> str:
    if fault.expected.startswith(UNKNOWN):
        return "unknown_parameter"
    return "missing_required_parameter" if fault.got == NOTHING else "invalid_value"

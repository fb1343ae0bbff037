"""The interfaces that callers use (doors): the name in the ledger, the form of errors, headers.

The path of a request decides, in `door_of` and nowhere else: so errors before a route was found
have the right form as well.
"""

from collections.abc import Sequence

import orjson
from starlette.types import Send

from plugin.api.errors import openai as openai_errors
from plugin.api.errors.handlers import Problem, dump
from plugin.api.errors.problems import MEDIA_TYPE
from plugin.api.openai_headers import openai_headers
from plugin.errors import NotFound, PluginError

Headers = Sequence[tuple[bytes, bytes]]

_JSON = "application/json"
_GPT = "/v1"
_BELOW_GPT = f"{_GPT}/"
_NO_RETRY = (b"x-should-retry", b"false")


class Door:
    """An interface with its name, error envelope and headers. Operations are behind this one."""

    name = "rest"
    """As the ledger, the metrics and the limits know it."""

    serves_models = False
    """Whether models answer: an answer costs tokens, and a failed one is not kept for a repeat."""

    shows_all_limits = False
    """Whether the `x-ratelimit-*` headers are present even where there is no limit."""

    def headers(self, seconds: float) -> Headers:
        """Return what every answer carries that begins `seconds` after its request."""
        del seconds
        return ()

    def status_of(self, problem: Problem) -> int:
        """Return the status that an error has here."""
        return problem.status

    def error_body(self, problem: Problem, request_id: str) -> tuple[str, bytes]:
        """Return an error's media type and body."""
        return MEDIA_TYPE, dump(problem.as_rfc9457(request_id))

    def error_headers(self, problem: Problem) -> Headers:
        """Return headers that an error has beside its own."""
        del problem
        return ()

    def nothing_at(self, method: str, path: str) -> PluginError:
        """Return the error for a path where nothing is."""
        del method, path
        return NotFound("There is nothing at this path. GET /openapi.json lists what there is.")

    async def refuse(self, send: Send, problem: Problem, request_id: str) -> None:
        """Answer a request with an error."""
        media_type, body = self.error_body(problem, request_id)
        headers = [
            *self.error_headers(problem),
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *((name.lower().encode(), text.encode()) for name, text in problem.headers.items()),
        ]
        status = self.status_of(problem)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class GptDoor(Door):
    """The GPT API below `/v1`, in the form that OpenAI's clients read."""

    name = "gpt"
    serves_models = True
    shows_all_limits = True

    def headers(self, seconds: float) -> Headers:
        """Return OpenAI's headers."""
        return openai_headers(seconds)

    def status_of(self, problem: Problem) -> int:
        """Return the status; the GPT API knows no 422."""
        return openai_errors.status_of(problem.error, problem.status)

    def error_body(self, problem: Problem, request_id: str) -> tuple[str, bytes]:
        """Return OpenAI's error object."""
        del request_id
        return _JSON, dump(self.error_object(problem))

    def error_headers(self, problem: Problem) -> Headers:
        """Tell OpenAI's clients what they would repeat without use."""
        return (_NO_RETRY,) if problem.retry_is_useless else ()

    def error_object(self, problem: Problem) -> dict[str, object]:
        """Return OpenAI's error object, as in an answer and in the last event of a stream."""
        return openai_errors.body(problem)

    def error_event(self, problem: Problem) -> bytes:
        """Return an error as a server-sent event."""
        return b"data: " + orjson.dumps(self.error_object(problem)) + b"\n\n"

    def nothing_at(self, method: str, path: str) -> PluginError:
        """Return the error for a path below `/v1` where nothing is."""
        return openai_errors.unknown_url(method, path)


REST = Door()
GPT = GptDoor()


def door_of(path: str) -> Door:
    """Return the interface that a path belongs to (see `local_path`)."""
    if path.startswith(_BELOW_GPT) or path == _GPT:
        return GPT
    return REST

"""What the description says of headers: the key of a call, limits, and when to come again."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.api.idempotent import NEVER_CONFLICT

KEY = "Idempotency-Key"
CONFLICT, REUSED = 409, 422

Described = dict[str, Any]

_LIMITS = tuple(
    f"x-ratelimit-{what}-{measure}"
    for measure in ("requests", "tokens")
    for what in ("limit", "remaining", "reset")
)
_ALWAYS = ("x-request-id", "openai-processing-ms", "openai-version", *_LIMITS)
_WAIT = ("retry-after", "retry-after-ms", "x-should-retry")
_OF_STATUS: Mapping[int, tuple[str, ...]] = {
    409: ("retry-after", "x-should-retry"),
    422: ("x-should-retry",),
    429: (*_WAIT, "ratelimit-policy", "ratelimit"),
    501: ("x-should-retry",),
    503: _WAIT,
    507: ("x-should-retry",),
}

_NUMBER: Described = {"type": "string", "pattern": "^[0-9]+$"}
_TEXT: Described = {"type": "string"}
_HEADERS: Mapping[str, tuple[str, Described]] = {
    "x-request-id": ("The name of this request; tell it when you ask for help.", _TEXT),
    "openai-processing-ms": ("Milliseconds from the request to the answer's beginning.", _NUMBER),
    "openai-version": ("The version of the API.", _TEXT),
    "retry-after": ("Seconds after which a call like this one can pass.", _NUMBER),
    "retry-after-ms": ("The same in milliseconds.", _NUMBER),
    "x-should-retry": ("false: trying again is of no use.", {"enum": ["true", "false"]}),
    "ratelimit-policy": ("Every limit that the call met (IETF draft).", _TEXT),
    "ratelimit": ("What is left of each of them, and for how long (IETF draft).", _TEXT),
    "idempotency-replayed": (
        "true: the answer of an earlier call with this Idempotency-Key.",
        {"const": "true"},
    ),
    **{name: (f"The tightest limit: {name.split('-', 2)[2]}.", _TEXT) for name in _LIMITS},
}


def of_status(status: int) -> Described:
    """The headers of an answer with that status, as references."""
    return {name: _reference(name) for name in (*_ALWAYS, *_OF_STATUS.get(status, ()))}


def of_replies() -> Described:
    """Those of an answer to a POST, which may be that of an earlier one."""
    return {**of_status(200), "idempotency-replayed": _reference("idempotency-replayed")}


def components() -> Described:
    """The headers and the parameter that the description refers to."""
    parameter = {
        "name": KEY,
        "in": "header",
        "required": False,
        "description": (
            "A name of your own for this call: sent again with the same name, path and body within "
            "24 hours it is not carried out a second time, and answered as before. Printable ASCII."
        ),
        "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
    }
    return {
        "parameters": {KEY: parameter},
        "headers": {
            name: {"description": text, "schema": schema}
            for name, (text, schema) in _HEADERS.items()
        },
    }


def parameter() -> Described:
    """The parameter, as a reference."""
    return {"$ref": f"#/components/parameters/{KEY}"}


def key_statuses(path: str) -> Iterator[int]:
    """What a POST to `path` can be answered with because of its key."""
    yield REUSED
    if not path.endswith(NEVER_CONFLICT):
        yield CONFLICT


def _reference(name: str) -> Described:
    return {"$ref": f"#/components/headers/{name}"}

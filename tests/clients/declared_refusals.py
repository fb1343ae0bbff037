"""What Schemathesis cannot know of `/v1`: refusals that are declared beyond the schemas.

Its hooks. A failure of a check is dropped only where the description says that this very refusal
is right: a 400 for a parameter with a rule in the operation's `x-rules`, a 422 for a key that came
with another call, a declared 501 for what needs an upstream. Everything else stays a failure.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import schemathesis

_KEY = "Idempotency-Key"
_VALID_KEY = re.compile(r"[!-~]([ -~]{0,200}[!-~])?")
_LENGTHS = ("max_tokens", "max_completion_tokens")
_SHORT = 3
_numbers = itertools.count()


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Change what would make a run long or empty, and leaves a valid call valid.

    The fuzzer sends one key with every other body, and lets a model write as long as it likes.
    """
    key = (case.headers or {}).get(_KEY)
    if isinstance(key, str) and _VALID_KEY.fullmatch(key):
        case.headers[_KEY] = f"{key}-{next(_numbers)}"
    if isinstance(case.body, dict) and case.path.endswith("/completions"):
        _shorten(case.body, _LENGTHS if "/chat/" in case.path else _LENGTHS[:1])


def _shorten(body: dict[str, Any], names: Sequence[str]) -> None:
    came = [name for name in names if body.get(name) is not None]
    for name in came:
        if type(body[name]) is int and _SHORT < body[name] < 2**31:
            body[name] = _SHORT
    if not came:
        body[names[0]] = _SHORT


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts."""
    kind = type(failure).__name__
    if kind == "RejectedPositiveData":
        return not _is_declared(case, response)
    return not (kind == "ServerError" and _is_not_offered(case, response))


def _is_declared(case: Any, response: Any) -> bool:
    error: Mapping[str, Any] = response.json()["error"]
    if response.status_code == 422:
        return error["code"] == "idempotency_key_reused" and _KEY in case.headers
    if response.status_code != 400 or error["param"] is None:
        return False
    param = re.sub(r"\[[0-9]+\]", "[]", error["param"])
    rules = {rule["param"] for rule in _declared(case, "400").get("x-rules", ())}
    return param in rules or ("*" in rules and _is_undescribed(case, error["param"]))


def _is_not_offered(case: Any, response: Any) -> bool:
    if response.status_code != 501 or not _declared(case, "501"):
        return False
    return bool(response.json()["error"]["code"] == "not_offered")


def _is_undescribed(case: Any, param: str) -> bool:
    """Whether a member came that the description of the body does not name."""
    body = case.operation.definition.raw.get("requestBody", {}).get("content", {})
    schema = _resolved(case, body.get(case.media_type, {}).get("schema", {}))
    came = {name[:100] for name in case.body} if isinstance(case.body, Mapping) else set()
    return param in came and param not in schema.get("properties", {})


def _declared(case: Any, status: str) -> Mapping[str, Any]:
    return _resolved(case, case.operation.definition.raw["responses"].get(status, {}))


def _resolved(case: Any, node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node:
        found: Any = case.operation.schema.raw_schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node

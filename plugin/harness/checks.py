"""Whether a service kept its contract in one exchange: each check gives a failure or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import jsonschema_rs

from plugin.contract import targets
from plugin.contract.answers import Declared, answer_schema
from plugin.contract.operation import Operation
from plugin.contract.schema.validation import validator
from plugin.harness.exchange import Exchange
from plugin.harness.json_text import NotJson, loads


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what was found; `message` is empty where all is well."""

    check: str
    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the caller puts up with: characters of an answer, milliseconds for it."""

    characters: int = targets.ACTIONS_PAYLOAD.number
    milliseconds: float = targets.ACTIONS_SECONDS.number * 1_000.0


class Checks:
    """The checks of a run. Validators are built once for each declared answer."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._validators: dict[tuple[str, str, str], jsonschema_rs.Validator] = {}
        self._declared: dict[tuple[str, int, str], Declared] = {}
        checks: tuple[tuple[str, _Check], ...] = (
            ("status", self._status),
            ("content_type", self._content_type),
            ("schema", self._schema),
            ("error_shape", self._error_shape),
            ("size", self._size),
            ("time", self._time),
        )
        self._checks = [(Check(name, ok=True), check) for name, check in checks]

    def __call__(self, operation: Operation, exchange: Exchange) -> tuple[Check, ...]:
        """The results of all checks on one exchange."""
        response = exchange.response
        key = (operation.pointer, response.status, response.media_type)
        declared = self._declared.get(key)
        if declared is None:
            declared = self._declared[key] = answer_schema(operation, *key[1:])
        results = []
        for fine, check in self._checks:
            message = check(operation, exchange, declared)
            results.append(Check(fine.check, ok=False, message=message) if message else fine)
        return tuple(results)

    def _status(self, operation: Operation, exchange: Exchange, declared: Declared) -> str:
        status = exchange.response.status
        if declared.missing == "status" or _is_other_success(operation, declared, status):
            known = ", ".join(answer.status for answer in operation.answers) or "none"
            return f"{_named(status)} is not declared; declared: {known}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not _declared_exactly(declared, status):
            return f"{_named(status)}: the service failed"
        return ""

    def _content_type(self, _: Operation, exchange: Exchange, declared: Declared) -> str:
        if declared.missing != "media_type" or declared.answer is None:
            return ""
        got = exchange.response.media_type or "nothing"
        known = ", ".join(declared.answer.schemas)
        return f"answered with {got}; declared: {known}"

    def _schema(self, operation: Operation, exchange: Exchange, declared: Declared) -> str:
        if declared.schema is None or declared.answer is None:
            return ""
        if not _is_json(declared.media_type or ""):
            return ""
        try:
            value = loads(exchange.response.body)
        except NotJson as error:
            return f"the body is not JSON: {error}"
        key = (operation.pointer, declared.answer.status, declared.media_type or "")
        if key not in self._validators:
            self._validators[key] = validator(declared.schema)
        return _first_errors(self._validators[key], value)

    def _error_shape(self, _: Operation, exchange: Exchange, declared: Declared) -> str:
        """An error has to be readable for a model: JSON or plain text, not a page for a browser.

        An empty one is no breach where the contract declares that status without a body.
        """
        response = exchange.response
        if response.status < HTTPStatus.BAD_REQUEST or declared.missing is None:
            return ""
        start = response.body[:200].lstrip().lower()
        if "html" in response.media_type or start.startswith((b"<!doctype html", b"<html")):
            return "the error is an HTML page; a model needs JSON or plain text"
        if not response.body and (declared.answer is None or declared.answer.schemas):
            return "the error has no body; say what was wrong and what to do"
        return ""

    def _size(self, _: Operation, exchange: Exchange, __: Declared) -> str:
        size = len(exchange.response.body.decode("utf-8", "replace"))
        limit = self._limits.characters
        return f"{size:,} characters; fewer than {limit:,} are taken" if size >= limit else ""

    def _time(self, _: Operation, exchange: Exchange, __: Declared) -> str:
        took, limit = exchange.milliseconds, self._limits.milliseconds
        return f"took {took:,.0f} ms; at most {limit:,.0f} ms" if took > limit else ""


_Check = Callable[[Operation, Exchange, Declared], str]


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _is_other_success(operation: Operation, declared: Declared, status: int) -> bool:
    """A success that is not the declared one: `default` then stands for errors, not for it."""
    return (
        declared.answer is not None
        and declared.answer.status == "default"
        and HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST
        and any(answer.status.startswith("2") for answer in operation.answers)
    )


def _declared_exactly(declared: Declared, status: int) -> bool:
    """A 503 that the contract names is an answer (a source is away); a 500 never is."""
    return (
        status != HTTPStatus.INTERNAL_SERVER_ERROR
        and declared.answer is not None
        and declared.answer.status == str(status)
    )


def _is_json(media_type: str) -> bool:
    bare = media_type.partition(";")[0].strip().lower()
    return bare.endswith(("/json", "+json")) or bare in ("*/*", "application/*")


def _first_errors(check: jsonschema_rs.Validator, value: Any, limit: int = 3) -> str:
    if check.is_valid(value):
        return ""
    errors = []
    for error in check.iter_errors(value):
        at = "".join(f"/{part}" for part in error.instance_path)
        errors.append(f"{at or 'the body'}: {_shortened(error.message)}")
        if len(errors) == limit:
            break
    return "; ".join(errors)


def _shortened(message: str, limit: int = 160) -> str:
    return message if len(message) <= limit else f"{message[:limit]}…"

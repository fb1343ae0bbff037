"""What GPT Actions ask of an OpenAPI document beyond what every door asks."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from plugin.contract import targets
from plugin.contract.answers import success_parts
from plugin.contract.lint.finding import Hit, Level, Rule
from plugin.contract.lint.manifest import LOOPBACK
from plugin.contract.lint.sizes import Sizes
from plugin.contract.lint.subject import Subject
from plugin.contract.operation import Operation
from plugin.contract.pointer import child
from plugin.contract.targets import Demand, Limit

_TEXT = re.compile(r"text/.+|application/(.+\+)?(json|xml|yaml|x-www-form-urlencoded)|\*/\*|\*")
_UNSENT = ("header", "cookie")
_SENT_ANYWAY = frozenset({"accept-encoding", "connection", "content-length", "host", "user-agent"})
"""Headers that every client sets by itself, and none lets a model set."""

_READS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_CONSEQUENTIAL = "x-openai-isConsequential"
_HTTPS = 443


def _many_operations(subject: Subject) -> Iterator[Hit]:
    count = len(subject.operations)
    if count > targets.ACTIONS_OPERATIONS.number:
        yield Hit("/paths", f"{count:,} operations", count)


def _large_document(subject: Subject) -> Iterator[Hit]:
    if subject.size > targets.ACTIONS_DOCUMENT.number:
        yield Hit("", f"{subject.size:,} bytes", subject.size)


def _long_words(subject: Subject) -> Iterator[Hit]:
    limit = targets.ACTIONS_DESCRIPTION.number
    told = set()
    for operation in subject.operations:
        for key in ("summary", "description"):
            pointer, value = subject.written(operation, key)
            if isinstance(value, str) and len(value) > limit and pointer not in told:
                told.add(pointer)
                yield Hit(pointer, f"{len(value):,} characters; {limit} are allowed", len(value))


def _long_parameters(subject: Subject) -> Iterator[Hit]:
    limit = targets.ACTIONS_PARAMETER.number
    for pointer, node in subject.parameters.items():
        words = node.get("description") if isinstance(node, dict) else None
        if isinstance(words, str) and len(words) > limit:
            message = f"{len(words):,} characters; {limit} are allowed"
            yield Hit(child(pointer, "description"), message, len(words))


def _no_tls(subject: Subject) -> Iterator[Hit]:
    for pointer, url in subject.servers:
        scheme, separator, _ = url.partition("://")
        host, port = _address(url)
        if not separator or host in LOOPBACK:
            continue
        if scheme.lower() != "https" or port != _HTTPS:
            yield Hit(pointer, f"{url} is not https on port {_HTTPS}", url)


def _address(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is none, as a server variable may leave it
        return "", None
    return parts.hostname or "", port or _HTTPS


def _headers(*, required: bool) -> Callable[[Subject], Iterator[Hit]]:
    effect = "the operation cannot be called" if required else "it is never sent"

    def check(subject: Subject) -> Iterator[Hit]:
        told = set()
        for operation in subject.operations:
            for one in operation.parameters:
                sent = one.location not in _UNSENT or one.name.lower() in _SENT_ANYWAY
                if sent or one.required is not required or one.pointer in told:
                    continue
                told.add(one.pointer)
                message = f"{one.name!r} travels in a {one.location}: {effect}"
                yield Hit(one.pointer, message, f"{one.location} {one.name}")

    return check


def _several_auths(subject: Subject) -> Iterator[Hit]:
    """One scheme must open every operation that is not open anyway."""
    asked = [one.security for one in subject.operations if one.security and {} not in one.security]
    alone = [{name for one in any_of if len(one) == 1 for name in one} for any_of in asked]
    if not alone or set.intersection(*alone):
        return
    names = sorted({name for any_of in asked for one in any_of for name in one})
    message = f"no one of {', '.join(names)} opens every operation"
    yield Hit("/components/securitySchemes", message, len(names))


def _binary_requests(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        body = operation.body
        if body and not _TEXT.fullmatch(body.media_type):
            yield Hit(body.pointer, f"the request is {body.media_type}", body.media_type)


def _binary_answers(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        for answer in operation.answers:
            types = [one.partition(";")[0].strip().lower() for one in answer.schemas]
            if not answer.status.startswith("2") or not types:
                continue
            if not any(_TEXT.fullmatch(one) for one in types):
                named = ", ".join(types)
                yield Hit(answer.pointer, f"the answer is {named}", named)


def _payloads(*, always: bool) -> Callable[[Subject], Iterator[Hit]]:
    limit = targets.ACTIONS_PAYLOAD.number
    verb = "is at least" if always else "may be"

    def check(subject: Subject) -> Iterator[Hit]:
        for pointer, what, least, most in _sizes(subject):
            size = least if always else most
            if size >= limit and (always or least < limit):
                message = f"the {what} {verb} {size:,} characters long; less than {limit:,} are let"
                yield Hit(pointer, f"{message} through", size)

    return check


def _sizes(subject: Subject) -> Iterator[tuple[str, str, int, int]]:
    """Of each request and each success answer: where, which, the least and the most characters."""
    for operation in subject.operations:
        requests = Sizes(operation.schema.get("$defs", {}))
        schema = operation.schema
        yield operation.pointer, "request", requests.least(schema), requests.most(schema)
        parts = success_parts(operation)
        if parts is not None:
            answers = Sizes(parts[1])
            pointer = _answer_pointer(operation)
            yield pointer, "answer", answers.least(parts[0]), answers.most(parts[0])


def _answer_pointer(operation: Operation) -> str:
    answers = sorted(operation.answers, key=lambda one: one.status)
    return next(one.pointer for one in answers if one.status.startswith("2") and one.schemas)


def _unsaid_consequence(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        said: Any = operation.extensions.get(_CONSEQUENTIAL)
        if said is None and operation.method not in _READS:
            message = f"{operation.method} without {_CONSEQUENTIAL}: the user is asked at each call"
            yield Hit(operation.pointer, message)
        elif said is not None and not isinstance(said, bool):
            yield Hit(child(operation.pointer, _CONSEQUENTIAL), f"{said!r} is no boolean", said)


def _rule(
    name: str,
    level: Level,
    stands_on: Limit | Demand,
    check: Callable[[Subject], Iterator[Hit]],
) -> Rule[Subject]:
    return Rule(f"actions-{name}", level, frozenset({"actions"}), stands_on, check)


RULES: tuple[Rule[Subject], ...] = (
    _rule("operations", Level.WARNING, targets.ACTIONS_OPERATIONS, _many_operations),
    _rule("document", Level.WARNING, targets.ACTIONS_DOCUMENT, _large_document),
    _rule("description", Level.ERROR, targets.ACTIONS_DESCRIPTION, _long_words),
    _rule("parameter", Level.ERROR, targets.ACTIONS_PARAMETER, _long_parameters),
    _rule("tls", Level.ERROR, targets.ACTIONS_TLS, _no_tls),
    _rule(
        "header-required",
        Level.ERROR,
        targets.ACTIONS_HEADERS,
        _headers(required=True),
    ),
    _rule(
        "header",
        Level.WARNING,
        targets.ACTIONS_HEADERS,
        _headers(required=False),
    ),
    _rule("auth", Level.ERROR, targets.ACTIONS_AUTH, _several_auths),
    _rule("request-text", Level.ERROR, targets.ACTIONS_TEXT, _binary_requests),
    _rule("answer-text", Level.ERROR, targets.ACTIONS_TEXT, _binary_answers),
    _rule(
        "payload-always",
        Level.ERROR,
        targets.ACTIONS_PAYLOAD,
        _payloads(always=True),
    ),
    _rule("payload", Level.NOTE, targets.ACTIONS_PAYLOAD, _payloads(always=False)),
    _rule(
        "consequential",
        Level.NOTE,
        targets.ACTIONS_CONSEQUENTIAL,
        _unsaid_consequence,
    ),
)

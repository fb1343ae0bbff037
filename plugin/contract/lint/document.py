"""What every door asks of an OpenAPI document."""

from collections.abc import Iterator

from plugin.contract import targets
from plugin.contract.lint.finding import Hit, Level, Rule
from plugin.contract.lint.subject import Subject
from plugin.contract.pointer import child


def _unusable(subject: Subject) -> Iterator[Hit]:
    for note in subject.contract.skipped:
        yield Hit(note.pointer, f"the operation cannot be called: {note.reason}")


def _oddities(subject: Subject) -> Iterator[Hit]:
    # operations without or with an equal id, and a document without servers, have their own rules
    told = {"/servers", *(operation.pointer for operation in subject.operations)}
    for note in subject.contract.notes:
        if note.pointer not in told:
            yield Hit(note.pointer, note.reason)


def _no_id(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        if operation.operation_id is None:
            yield Hit(operation.pointer, "no operationId, so its name is made of method and path")


def _same_id(subject: Subject) -> Iterator[Hit]:
    seen: dict[str, str] = {}
    for operation in subject.operations:
        if operation.operation_id is None:
            continue
        first = seen.setdefault(operation.operation_id, operation.pointer)
        if first != operation.pointer:
            message = f"the operationId {operation.operation_id!r} is also that of {first}"
            yield Hit(child(operation.pointer, "operationId"), message, operation.operation_id)


def _no_servers(subject: Subject) -> Iterator[Hit]:
    contract = subject.contract
    if not contract.servers and not all(one.servers for one in subject.operations):
        yield Hit("/servers", "no servers, so calls go to the host that serves the document")


def _relative_servers(subject: Subject) -> Iterator[Hit]:
    for pointer, url in subject.servers:
        if "://" not in url:
            yield Hit(pointer, f"{url!r} is relative to where the document lies", url)


def _undescribed(subject: Subject) -> Iterator[Hit]:
    for operation in subject.operations:
        if not operation.summary and not operation.description:
            yield Hit(operation.pointer, "neither summary nor description: a model has to guess")


_DOORS = frozenset(targets.LINT_TARGETS)

RULES: tuple[Rule[Subject], ...] = (
    Rule("operation-unusable", Level.ERROR, _DOORS, targets.OPENAPI_VALID, _unusable),
    Rule("document-oddity", Level.WARNING, _DOORS, targets.OPENAPI_VALID, _oddities),
    Rule("operation-id-missing", Level.WARNING, _DOORS, targets.OPERATION_ID, _no_id),
    Rule("operation-id-duplicate", Level.WARNING, _DOORS, targets.OPENAPI_IDS, _same_id),
    Rule("servers-missing", Level.WARNING, _DOORS, targets.ABSOLUTE_SERVER, _no_servers),
    Rule("servers-relative", Level.WARNING, _DOORS, targets.ABSOLUTE_SERVER, _relative_servers),
    Rule("operation-undescribed", Level.WARNING, _DOORS, targets.DESCRIBED, _undescribed),
)

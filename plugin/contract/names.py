"""Names for operations that every door accepts, that a model can read, and that lead back."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from plugin.contract.operation import Contract, Operation
from plugin.contract.targets import PORTABLE_NAME

_LONGEST = PORTABLE_NAME.number
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def names(contract: Contract) -> dict[str, Operation]:
    """The operations by name, in the document's order.

    A legal operationId is the name, whatever else wants it; another is made legal; without one,
    method and path speak. Where two operations want one name the first has it, and the next is
    called by its method and path.
    """
    taken: dict[str, Operation] = {}
    for operation in contract.operations:
        if _is_legal(operation.operation_id or ""):
            taken.setdefault(operation.operation_id or "", operation)
    chosen = {id(operation): name for name, operation in taken.items()}
    for operation in contract.operations:
        if id(operation) not in chosen:
            name = _first_free(_candidates(operation), taken)
            taken[name], chosen[id(operation)] = operation, name
    return {chosen[id(operation)]: operation for operation in contract.operations}


def legal(text: str) -> str:
    """The text as a name of `[A-Za-z0-9_-]{1,64}`; empty when nothing readable is left."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _shortened(_ILLEGAL.sub("_", ascii_text).strip("_-"))


def _is_legal(name: str) -> bool:
    return 0 < len(name) <= _LONGEST and not _ILLEGAL.search(name)


def _candidates(operation: Operation) -> Iterable[str]:
    yield legal(operation.operation_id or "")
    path = _HUMP.sub("_", _PLACEHOLDER.sub(r"by_\1", operation.path)).lower()
    spoken = legal(path if path.strip("/") else "root")
    yield legal(f"{operation.method.lower()}_{spoken}") if spoken else ""
    # Nothing readable is left of a path in another script, or two paths differ in their slashes.
    yield f"{operation.method.lower()}_{_digest(operation.path)}"


def _first_free(candidates: Iterable[str], taken: dict[str, Operation]) -> str:
    last = ""
    for candidate in candidates:
        last = candidate
        if candidate and candidate not in taken:
            return candidate
    number = 2
    while f"{last}_{number}" in taken:
        number += 1
    return f"{last}_{number}"


def _shortened(name: str) -> str:
    """The name within the limit: cut at a word, with a digest so that two long ones stay apart."""
    if len(name) <= _LONGEST:
        return name
    digest = _digest(name)
    head = name[: _LONGEST - len(digest) - 1]
    at_word = max(head.rfind("_"), head.rfind("-"))
    if at_word > _LONGEST // 2:
        head = head[:at_word]
    return f"{head.rstrip('_-')}_{digest}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]

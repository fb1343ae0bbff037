"""What changed between two contracts, or two manifests, and which changes break callers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.contract.operation import Answer, Contract, Operation
from plugin.contract.schema.changes import Side
from plugin.contract.schema.changes import compare as compare_schemas

_MEANT_FOR_PROGRAMS = frozenset({"schema_version", "name_for_model", "auth", "api"})
_SUCCESS = "2"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: of which operation (or part of a document), what, and whether it breaks."""

    where: str
    what: str
    breaking: bool


def contracts(before: Contract, after: Contract) -> list[Change]:
    """What changed from `before` to `after`, breaking changes first."""
    return _sorted([*_documents(before, after), *_all_operations(before, after)])


def manifests(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What changed between two `ai-plugin.json`; texts for people and models break nobody."""
    changes = []
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        if was != now:
            what = f"was {was!r}, now {now!r}"
            changes.append(Change(key, what, breaking=key in _MEANT_FOR_PROGRAMS))
    return _sorted(changes)


def _sorted(changes: Sequence[Change]) -> list[Change]:
    return sorted(dict.fromkeys(changes), key=lambda change: not change.breaking)


def _documents(before: Contract, after: Contract) -> Iterator[Change]:
    for name in ("title", "version", "description"):
        if getattr(before, name) != getattr(after, name):
            yield Change("info", f"its {name} changed", breaking=False)
    if before.servers != after.servers:
        what = f"servers were {_listed(before.servers)}, now {_listed(after.servers)}"
        yield Change("servers", what, breaking=True)
    was, now = (_schemes(contract) for contract in (before, after))
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            what = f"the scheme {name} changed"
            yield Change("security", what, breaking=name in was)


def _schemes(contract: Contract) -> dict[str, Any]:
    """The security schemes without their descriptions."""
    components = contract.document.get("components") or {}
    schemes: Mapping[str, Any] = components.get("securitySchemes") or {}
    return {
        name: {key: value for key, value in scheme.items() if key != "description"}
        for name, scheme in schemes.items()
    }


def _all_operations(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = (_named(contract) for contract in (before, after))
    for name, operation in old.items():
        if name in new:
            yield from _operations(name, operation, new[name])
        else:
            yield Change(name, _gone(operation, new.values()), breaking=True)
    for name, operation in new.items():
        if name not in old:
            yield Change(name, f"the operation is new ({_place(operation)})", breaking=False)


def _named(contract: Contract) -> dict[str, Operation]:
    return {one.operation_id or _place(one): one for one in contract.operations}


def _place(operation: Operation) -> str:
    return f"{operation.method.upper()} {operation.path}"


def _gone(operation: Operation, others: Iterable[Operation]) -> str:
    for other in others:
        if _place(other) == _place(operation):
            return f"the operation is named {other.operation_id} now"
    return "the operation is gone"


def _operations(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    if _place(old) != _place(new):
        yield Change(name, f"was {_place(old)}, now {_place(new)}", breaking=True)
    for text in ("summary", "description", "tags"):
        if getattr(old, text) != getattr(new, text):
            yield Change(name, f"its {text} changed", breaking=False)
    if old.deprecated != new.deprecated:
        yield Change(name, f"deprecated is {new.deprecated} now", breaking=False)
    for key in sorted({*old.extensions, *new.extensions}):
        if old.extensions.get(key) != new.extensions.get(key):
            yield Change(name, f"{key} is {new.extensions.get(key)!r} now", breaking=False)
    yield from _security(name, old, new)
    yield from _arguments(name, old, new)
    yield from _answers(name, old, new)


def _security(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    """A caller that had one of the old requirements must still meet one of the new ones."""
    if old.security == new.security:
        return
    lost = [
        had
        for had in old.security or ({},)
        if new.security and not any(_meets(had, asked) for asked in new.security)
    ]
    what = f"asks for {_requirements(new)}, before for {_requirements(old)}"
    yield Change(name, what, breaking=bool(lost))


def _meets(had: Mapping[str, Sequence[str]], asked: Mapping[str, Sequence[str]]) -> bool:
    return all(
        scheme in had and set(scopes) <= set(had[scheme]) for scheme, scopes in asked.items()
    )


def _requirements(operation: Operation) -> str:
    said = [
        " and ".join(f"{scheme} {' '.join(scopes)}".strip() for scheme, scopes in one.items())
        for one in operation.security
    ]
    return " or ".join(text or "nothing" for text in said) or "nothing"


def _arguments(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    for change in compare_schemas(old.schema, new.schema, Side.CALLER):
        where = f"{name} argument {change.pointer[1:]}" if change.pointer else name
        yield Change(where, change.what, change.breaking)
    was, now = (
        {
            one.argument: (one.location, one.name, one.style, one.explode, one.media_type)
            for one in operation.parameters
        }
        for operation in (old, new)
    )
    for argument in sorted(
        {*old.schema.get("properties", {})} & {*new.schema.get("properties", {})}
    ):
        if was.get(argument) != now.get(argument):
            what = f"it travelled in {_location(was, argument)}, now in {_location(now, argument)}"
            yield Change(f"{name} argument {argument}", what, breaking=True)
    if old.body and new.body and old.body.media_type != new.body.media_type:
        what = f"the body was {old.body.media_type}, now {new.body.media_type}"
        yield Change(name, what, breaking=True)


def _location(places: Mapping[str, tuple[Any, ...]], argument: str) -> str:
    place = places.get(argument)
    return "the body" if place is None else f"{place[0]} ({place[2]}, explode {place[3]})"


def _answers(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    was, now = ({one.status: one for one in operation.answers} for operation in (old, new))
    for status in was:
        if status not in now:
            # an error that cannot happen any more troubles nobody
            gone = status.startswith(_SUCCESS)
            yield Change(f"{name} answer {status}", "it is gone", breaking=gone)
        else:
            yield from _answer(f"{name} answer {status}", was[status], now[status])
    for status in now:
        if status not in was:
            yield Change(f"{name} answer {status}", "it is new", breaking=False)


def _answer(where: str, old: Answer, new: Answer) -> Iterator[Change]:
    if old.description != new.description:
        yield Change(where, "its description changed", breaking=False)
    for media_type in sorted({*old.schemas, *new.schemas}):
        if media_type not in new.schemas:
            yield Change(where, f"{media_type} is gone", breaking=True)
        elif media_type not in old.schemas:
            yield Change(where, f"{media_type} is new", breaking=False)
        else:
            was, now = (one.schemas[media_type] for one in (old, new))
            for change in compare_schemas(
                True if was is None else was, True if now is None else now, Side.SERVICE
            ):
                place = f"{where} {change.pointer}" if change.pointer else where
                yield Change(place, change.what, change.breaking)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values) or "not set"

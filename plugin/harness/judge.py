"""What is wrong with a call: the calls of a reply against the tools that the model was shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from plugin.contract.pointer import steps
from plugin.harness.argument_schema import ArgumentSchema, DocumentFault, read, type_of
from plugin.harness.edits import without
from plugin.harness.explain import explain
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.formats.format import mapping, objects
from plugin.harness.json_text import NotJson, canonical, loads
from plugin.harness.transcript import Reply
from plugin.messages import Call


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one call.

    `arguments` are decoded, None where they are not JSON. `contract` is False where there was
    nothing to judge by; such a call has no faults.
    """

    call: Call
    arguments: Any
    faults: tuple[Fault, ...]
    contract: bool


class Tool:
    """One tool's promise, compiled on its first use."""

    def __init__(self, name: str, schema: Any) -> None:
        self.name = name
        self.written = schema

    @cached_property
    def schema(self) -> ArgumentSchema:
        """The schema as the judge reads it."""
        return read(self.written)

    @property
    def document_faults(self) -> tuple[DocumentFault, ...]:
        """What in the written schema no call can satisfy."""
        return self.schema.faults

    def faults(self, arguments: Any) -> tuple[Fault, ...]:
        """What is wrong with decoded arguments."""
        if not isinstance(arguments, dict):
            message = f"the arguments are {type_of(arguments)}; expected a JSON object"
            return (Fault("", FaultKind.WRONG_TYPE, message),)
        if self.schema.validator.is_valid(arguments):
            return ()
        return tuple(explain(self.schema, arguments))


class Judge:
    """Judges calls by a set of tools: argument schemas by name, as they were written."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self.tools = {name: Tool(name, schema) for name, schema in schemas.items()}

    def judge(
        self, calls: Sequence[Call], *, strict: frozenset[str] = frozenset()
    ) -> list[Verdict]:
        """The verdicts on the calls of one reply, in their order.

        `strict` names the tools that the model was shown in strict form, where optional became
        nullable: their nulls for optional arguments are dropped before judging.
        """
        verdicts = [self._verdict(call, call.name in strict) for call in calls]
        return verdicts if len(verdicts) < 2 else list(_mark_duplicates(verdicts))  # noqa: PLR2004

    def judge_reply(self, reply: Reply) -> list[Verdict]:
        """The verdicts on a recorded reply; what its request declared strict counts as such."""
        return self.judge(reply.calls, strict=strict_names(reply.tools))

    def _verdict(self, call: Call, strict: bool) -> Verdict:  # noqa: FBT001 - passed on
        tool = self.tools.get(call.name)
        if tool is None:
            return Verdict(call, None, (self._unknown(call.name),), contract=True)
        try:
            arguments = decode(call.arguments)
        except ValueError as error:
            return Verdict(call, None, (Fault("", FaultKind.NOT_JSON, str(error)),), contract=True)
        faults = tool.faults(arguments)
        if strict and any(fault.fault is FaultKind.NULL_FOR_OPTIONAL for fault in faults):
            arguments = _without_nulls(arguments, faults)
            faults = tool.faults(arguments)
        return Verdict(call, arguments, faults, contract=True)

    def _unknown(self, name: str) -> Fault:
        near = get_close_matches(name, self.tools, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known: {_listed(self.tools)}"
        return Fault("", FaultKind.UNKNOWN_FUNCTION, f"there is no tool `{name}`; {hint}")


def strict_names(tools: Sequence[Any] | None) -> frozenset[str]:
    """The tools declared strict: there, null is how a model leaves an optional argument out."""
    declared = objects(list(tools or ()))
    functions = [{**tool, **mapping(tool.get("function"))} for tool in declared]
    return frozenset(
        str(function.get("name")) for function in functions if function.get("strict") is True
    )


def unjudged(calls: Sequence[Call]) -> list[Verdict]:
    """The verdicts where there is no contract to judge by."""
    return [Verdict(call, None, (), contract=False) for call in calls]


def decode(arguments: Any) -> Any:
    """Arguments as values: text is decoded; empty, null or absent arguments are `{}`.

    Raises ValueError, saying where, for text that is not JSON.
    """
    if isinstance(arguments, str):
        try:
            arguments = loads(arguments) if arguments.strip() else None
        except NotJson as error:
            raise ValueError(f"the arguments are not JSON: {error}") from None
    return {} if arguments is None else arguments


def _without_nulls(arguments: Any, faults: Sequence[Fault]) -> Any:
    """The arguments without the nulls that stand for optional arguments left out."""
    for fault in faults:
        if fault.fault is FaultKind.NULL_FOR_OPTIONAL:
            arguments = without(arguments, steps(fault.pointer))
    return arguments


def _mark_duplicates(verdicts: Sequence[Verdict]) -> Iterator[Verdict]:
    seen: set[tuple[str, bytes | str]] = set()
    for verdict in verdicts:
        key = (verdict.call.name, _canonical(verdict))
        if key in seen:
            message = f"`{verdict.call.name}` is called twice with equal arguments in one reply"
            fault = Fault("", FaultKind.DUPLICATE_PARALLEL, message)
            faults = tuple(sorted((*verdict.faults, fault)))
            verdict = Verdict(verdict.call, verdict.arguments, faults, verdict.contract)  # noqa: PLW2901
        seen.add(key)
        yield verdict


def _canonical(verdict: Verdict) -> bytes | str:
    """Arguments so that equal values give equal bytes: sorted keys, 1.0 as 1."""
    try:
        value = decode(verdict.call.arguments)
    except ValueError:
        return str(verdict.call.arguments)
    return canonical(value)


def _listed(names: Mapping[str, Any], limit: int = 10) -> str:
    listed = ", ".join(f"`{name}`" for name in list(names)[:limit])
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{listed}{more}" if names else "none"

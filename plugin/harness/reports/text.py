"""Verdicts and outcomes as JSON lines and as JUnit XML."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from plugin.harness.argument_schema import DocumentFault
from plugin.harness.faults import Fault
from plugin.harness.grading import Grade
from plugin.harness.judge import Judge, Verdict
from plugin.harness.mutate import Mutated, Mutation
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.transcript import Reply, Unreadable

_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_UNPRINTABLE = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, escaped or not."""

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def unreadable_line(unreadable: Unreadable) -> dict[str, Any]:
    """The JSON line of a row that cannot be read."""
    return {"row": unreadable.row, "error": unreadable.error}


def judged_line(reply: Reply, verdicts: Sequence[Verdict], judge: Judge | None) -> dict[str, Any]:
    """The JSON line of one judged reply; `document_faults` only where a called tool has some."""
    line: dict[str, Any] = {
        "row": reply.row,
        "reply": reply.index,
        "format": reply.format,
        "calls": [_call(verdict) for verdict in verdicts],
    }
    faults = [
        {"tool": name, "pointer": fault.pointer, "message": fault.message}
        for name, fault in document_faults(verdicts, judge)
    ]
    return {**line, "document_faults": faults} if faults else line


def document_faults(
    verdicts: Iterable[Verdict], judge: Judge | None
) -> Iterable[tuple[str, DocumentFault]]:
    """What in the schemas of the called tools no call can satisfy, by tool name."""
    names = dict.fromkeys(verdict.call.name for verdict in verdicts)
    tools = [judge.tools[name] for name in names if name in judge.tools] if judge else []
    return [(tool.name, fault) for tool in tools for fault in tool.document_faults]


def mutated_line(mutated: Mutated, tools: Sequence[Any] | None) -> dict[str, Any]:
    """The JSON line of a call with a mistake in it, in a shape that `judge` and `replay` read.

    `tools` are those that the recording declared, where it is judged by them.
    """
    mutation = mutated.mutation
    line: dict[str, Any] = {
        "row": mutated.row,
        "reply": mutated.reply,
        "call": mutated.call,
        **mutation_label(mutation),
        "calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in mutated.calls
        ],
    }
    return {**line, "tools": list(tools)} if tools else line


def mutation_label(mutation: Mutation) -> dict[str, Any]:
    """What was done to a call, and the fault it has now; `undo` names the repairs against it."""
    return {
        "mutation": mutation.mutation,
        "variety": mutation.variety,
        "pointer": mutation.pointer,
        "expect": mutation.expect,
        "undo": mutation.undo or None,
    }


def replayed_line(replayed: Replayed) -> dict[str, Any]:
    """The JSON line of one replayed call; `reason` says why a call was not sent."""
    line: dict[str, Any] = {
        "row": replayed.row,
        "reply": replayed.reply,
        "call": replayed.call,
        "operation": replayed.operation,
        "outcome": replayed.outcome,
        "faults": [_fault(fault) for fault in replayed.faults],
        "repairs": list(replayed.repairs),
        "status": replayed.status,
        "milliseconds": replayed.milliseconds,
        "checks": [
            {"check": check.check, "ok": check.ok, "message": check.message}
            for check in replayed.checks
        ],
    }
    if replayed.reason:
        line["reason"] = replayed.reason
    if replayed.mutation is not None and replayed.grade is not None:
        line |= {**mutation_label(replayed.mutation), "grade": _grade(replayed.grade)}
    return line


def _grade(grade: Grade) -> dict[str, Any]:
    """How a mistake was met; what the text tells is None where there was no refusal to read."""
    wording = grade.wording
    return {
        "refusal": grade.refusal,
        "side_effect": grade.side_effect,
        "names_argument": wording and wording.names_argument,
        "says_expected": wording and wording.says_expected,
        "gives_example": wording and wording.gives_example,
    }


def junit(events: Iterable[Replayed | Unreadable]) -> bytes:
    """A JUnit document: a suite for each operation, a case for each call.

    Wrong calls and broken contracts are failures, told apart by `type`; rows that cannot be read
    are errors; calls that were not sent are skipped.
    """
    suites: dict[str, list[ET.Element]] = defaultdict(list)
    for event in events:
        if isinstance(event, Unreadable):
            suites["transcript"].append(_unreadable_case(event))
        else:
            suites[_printable(event.name)].append(_case(event))
    root = ET.Element("testsuites", name="plugin replay")
    for name, cases in suites.items():
        suite = ET.SubElement(root, "testsuite", name=name, tests=str(len(cases)))
        for tag, attribute in _COUNTED.items():
            suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
        suite.extend(cases)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def explanation(replayed: Replayed) -> list[str]:
    """Why a call did not pass, a line each: the service's failures, then the call's faults."""
    lines = [f"{check.check}: {check.message}" for check in replayed.checks if not check.ok]
    if replayed.grade is not None:
        lines.append(f"{replayed.grade.refusal}: {replayed.grade.in_words}")
    lines += [f"{fault.fault}: {fault.message}" for fault in replayed.faults]
    return [*lines, replayed.reason] if replayed.reason else lines


def visible(text: str) -> str:
    """Text for a terminal: control characters are shown, not carried out. Models write anything."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _call(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.call.id,
        "name": verdict.call.name,
        "arguments": verdict.call.arguments,
        "faults": [_fault(fault) for fault in verdict.faults],
        "contract": verdict.contract,
    }


def _fault(fault: Fault) -> dict[str, str]:
    return {"fault": fault.fault, "pointer": fault.pointer, "message": fault.message}


def _case(replayed: Replayed) -> ET.Element:
    name = f"row {replayed.row} reply {replayed.reply} call {replayed.call}"
    if replayed.mutation is not None:
        name += f" {replayed.mutation.mutation} at {replayed.mutation.pointer or 'the whole'}"
    seconds = f"{(replayed.milliseconds or 0) / 1000:.6f}"
    case = ET.Element("testcase", classname=_printable(replayed.name), name=name, time=seconds)
    why = [_printable(line) for line in explanation(replayed)]
    if replayed.outcome is Outcome.NOT_SENT:
        ET.SubElement(case, "skipped", message=_printable(replayed.reason))
    elif replayed.is_finding:
        failure = ET.SubElement(
            case, "failure", type=replayed.outcome, message=why[0] if why else ""
        )
        failure.text = "\n".join(why)
    return case


def _unreadable_case(unreadable: Unreadable) -> ET.Element:
    case = ET.Element("testcase", classname="transcript", name=f"row {unreadable.row}")
    ET.SubElement(case, "error", type="unreadable", message=_printable(unreadable.error))
    return case


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)

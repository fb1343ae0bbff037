"""`plugin why`: what the gate decided for a call and why, from the ledger and the last refusals."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.terminal import counted
from plugin.exit_codes import FINDINGS

if TYPE_CHECKING:
    from plugin.settings import Settings

_PATIENCE = 1.5
"""Seconds that the service may take to write down what it has just decided."""

_LEFT, _WAY = "left", "way"
_STATUS = {401: "not authenticated", 403: "not allowed", 429: "over a limit"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(why)


def why(
    request_id: Annotated[
        str, typer.Argument(help="What the header x-request-id of the answer says.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what was decided for a call and why: limits, queue, upstreams, engine, how it ended.

    Exit code 1 when nothing is known of it. Refusals are kept until newer ones fill their place.
    """
    from plugin.settings import load

    found = _found(load(), request_id)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        for told in found:
            _print(told)
        if not found:
            typer.echo(
                f"Nothing is known of {request_id} here. Is it the x-request-id of an answer, and "
                "is this the directory (or PLUGIN_DATA_DIR) of the service that gave it?"
            )
    if not found:
        raise typer.Exit(FINDINGS)


def _found(settings: "Settings", request_id: str) -> list[dict[str, Any]]:
    """All calls of that id; where there are none, after a moment once more."""
    until = time.monotonic() + _PATIENCE
    while True:
        found = [*_of_ledger(settings, request_id), *_turned_away(settings, request_id)]
        if found or time.monotonic() > until:
            return sorted(found, key=lambda told: str(told["time"]))
        time.sleep(0.25)


def _of_ledger(settings: "Settings", request_id: str) -> Iterator[dict[str, Any]]:
    from plugin.cli.ledger import open_ledger
    from plugin.ledger.reader import calls_of, under_way

    with open_ledger(settings) as database:
        rows = calls_of(database, request_id)
        open_calls = [call for call in under_way(database) if call.request_id == request_id]
    for row in rows:
        yield _let_in(row)
    for call in open_calls:
        told = {**call._asdict(), "decision": "let in", "ended": None}
        yield {**told, "time": _moment(call.time)}


def _turned_away(settings: "Settings", request_id: str) -> Iterator[dict[str, Any]]:
    from plugin.telemetry.rejections import DIRECTORY, decided

    for told in decided(settings.data_dir / DIRECTORY, request_id):
        yield {**told, "time": _moment(told["time"]), "decision": "turned away"}


def _let_in(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if name not in {"hash", "detail", "subject"}}
    detail = json.loads(row["detail"]) if row["detail"] else {}
    return {**told, **detail, "time": _moment(row["time"]), "decision": "let in"}


def _moment(microseconds: int) -> str:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def _print(told: Mapping[str, Any]) -> None:
    typer.secho(f"{told['request_id']}  {told['time']}", bold=True)
    for name, text in story(told):
        typer.echo(f"  {name:<9}{text}")


def story(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines that explain one call."""
    if told["decision"] == "let in":
        yield from _of_one_let_in(told)
    else:
        yield from _of_one_turned_away(told)


def _of_one_let_in(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    door = f"{told['action']} through the door {told['door']}"
    yield "call", f"{door}, by {told['caller_name']} ({told['caller_id']})"
    yield "gate", _admission(told)
    if told.get("waited_ms"):
        yield "queue", f"it waited {told['waited_ms']} ms for its turn"
    if told.get("model"):
        answered = told.get("answered_by")
        yield (
            "model",
            f"{told['model']}, " + (f"answered by {answered}" if answered else "no answer"),
        )
    for event in told.get(_WAY, ()):
        yield "way", _event(event)
    if told["ended"] is None:
        yield "end", "it is under way"
        return
    yield "used", _used(told)
    yield "end", f"{_status(told['status'])}, {told['ended']}, {_after(told['duration'] / 1000)}"


def _of_one_turned_away(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    path = f"{told['method']} {told.get('path', '(a path that is not there)')}"
    yield "call", f"{path}, by {told.get('caller', 'nobody that is known')}"
    limit = f": the limit {told['limit']}" if told.get("limit") else ""
    yield "gate", f"turned away{limit}"
    for event in told.get(_WAY, ()):
        yield "way", _event(event)
    yield "end", f"{_status(told.get('status'))}, {_after(told['ms'])}; nothing was charged"


def _admission(told: Mapping[str, Any]) -> str:
    if told.get("refused_by"):
        return f"let in, then refused by the limit {told['refused_by']} once its model was known"
    left = told.get(_LEFT) or {}
    rest = ", ".join(f"{name} {number:,}" for name, number in left.items())
    return f"let in; left after it: {rest}" if left else "let in; no rate or budget applies to it"


def _used(told: Mapping[str, Any]) -> str:
    tokens = f"{counted(told['tokens_in'], 'token')} in, {told['tokens_out']:,} out"
    return f"{tokens}, {counted(told['units'], 'unit')} of {told['reserved']:,} reserved"


def _event(event: Mapping[str, Any]) -> str:
    """An event as a sentence: what happened, then what is known of it."""
    known = dict(event)
    what, again = known.pop("what"), known.pop("again_after_ms", None)
    text = known.pop("text", None)
    facts = [f"{name} {value}" for name, value in known.items() if value is not None]
    if again is not None:
        facts.append(f"tried again after {again} ms")
    said = f"{what}: {', '.join(facts)}" if facts else str(what)
    return f"{said}. {text}" if text else said


def _status(status: int | None) -> str:
    if status is None:
        return "nobody was answered"
    meaning = _STATUS.get(status)
    return f"status {status} ({meaning})" if meaning else f"status {status}"


def _after(milliseconds: float) -> str:
    return f"after {milliseconds:,.1f} ms"

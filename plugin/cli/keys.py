"""`plugin keys`: create, list, revoke and rotate API keys."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.acts import note_act

if TYPE_CHECKING:
    from plugin.auth.keys import KeyRecord, KeyStore, NewKey
    from plugin.settings import Settings

_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST_NAME = 100

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id, as `plugin keys list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    keys = typer.Typer(no_args_is_help=True, help="Create, list, revoke and rotate API keys.")
    for command in (create, list_, revoke, rotate):
        keys.command(command.__name__.rstrip("_"))(command)
    app.add_typer(keys, name="keys")


def create(
    name: Annotated[str, typer.Option(help="Whose key it is; shown in lists.")],
    scopes: Annotated[
        str | None, typer.Option(help="Comma-separated scopes; all when not given.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it opens the gate: 12h, 30d; for ever by default.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once."""
    from plugin.errors import CannotRun
    from plugin.settings import load

    settings = load()
    lifetime = None if expires is None else _seconds(expires)
    if lifetime == 0:
        raise CannotRun("--expires 0 would make a key that is dead at once; write 12h or 30d")
    chosen = _scopes(scopes, settings)
    with _store(settings) as store:
        made = store.create(_named(name), chosen, lifetime)
    note_act(settings.data_dir, "key created", made.id, name=made.name, scopes=list(made.scopes))
    _show(made, as_json=as_json)


def list_(*, as_json: AsJson = False) -> None:
    """Show what keys there are; the keys themselves are not kept."""
    import time

    from plugin.settings import load

    settings = load()
    with _store(settings) as store:
        records, now = store.list(), time.time()
    rows = [_row(record, now) for record in records]
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        _table(rows, settings.database)


def revoke(key_id: KeyId) -> None:
    """Close the gate to a key, from the next request on."""
    from plugin.settings import load

    settings = load()
    with _store(settings) as store:
        store.revoke(key_id)
    note_act(settings.data_dir, "key revoked", key_id)
    typer.echo(f"{key_id} is revoked")


def rotate(
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option(help="How long the old key still opens the gate: 0m, 12h, 7d.")
    ] = "0m",
    *,
    as_json: AsJson = False,
) -> None:
    """Make a new key for the same caller: same id, same data."""
    from plugin.settings import load

    settings = load()
    with _store(settings) as store:
        made = store.rotate(key_id, _seconds(overlap))
    note_act(settings.data_dir, "key rotated", key_id, overlap=overlap)
    _show(made, as_json=as_json)


@contextmanager
def _store(settings: "Settings") -> "Iterator[KeyStore]":
    import time

    from plugin.auth.keys import KeyStore
    from plugin.errors import CannotRun, NotFound
    from plugin.storage.database import FAILURES, open_blocking
    from plugin.storage.migrate import prepare
    from plugin.storage.reserve import Reserve

    Reserve(settings.data_dir, settings.disk_reserve).release()
    prepare(settings.data_dir, settings.database)
    engine = open_blocking(settings.database)
    try:
        yield KeyStore(engine, time.time)
    except NotFound as error:
        raise CannotRun(error.detail) from None
    except FAILURES as error:
        raise CannotRun(f"{settings.database} cannot be used: {error}") from None
    finally:
        engine.dispose()


def _scopes(given: str | None, settings: "Settings") -> Sequence[str]:
    from plugin.auth.caller import EVERYTHING

    if given is None or given.strip() == EVERYTHING:
        return [EVERYTHING]
    from plugin.app import scopes
    from plugin.errors import CannotRun

    known = scopes(settings)
    chosen = list(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    unknown = [scope for scope in chosen if scope not in known]
    if unknown or not chosen:
        raise CannotRun(
            f"there is no scope {', '.join(unknown) or 'given'}; the scopes are "
            f"{', '.join(known)}, and {EVERYTHING} for all of them"
        )
    return chosen


def _named(name: str) -> str:
    from plugin.errors import CannotRun

    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise CannotRun(f"--name must be 1 to {_LONGEST_NAME} printable characters")
    return name


def _seconds(text: str) -> int:
    from plugin.errors import CannotRun

    found = re.fullmatch(r"(\d{1,5})([mhdw])", text.strip())
    if found is None:
        raise CannotRun(f"{text!r} is no length of time: write 30m, 12h, 30d or 4w")
    return int(found[1]) * _UNITS[found[2]]


def _show(made: "NewKey", *, as_json: bool) -> None:
    if as_json:
        shown = {"id": made.id, "name": made.name, "key": made.key, "scopes": made.scopes}
        typer.echo(json.dumps(shown))
        return
    typer.echo(f"key     {made.key}")
    typer.echo(f"id      {made.id}")
    typer.echo(f"scopes  {', '.join(made.scopes)}")
    if made.expires_at is not None:
        typer.echo(f"until   {_moment(made.expires_at)}")
    typer.echo("Keep the key now: only its hash is stored, so it cannot be shown again.")


def _row(record: "KeyRecord", now: float) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "begins": record.hint,
        "state": record.state(now),
        "scopes": list(record.scopes),
        "created": _moment(record.created_at),
        "expires": _moment(record.expires_at),
        "last_used": _moment(record.last_used_at),
    }


def _table(rows: list[dict[str, Any]], database: str) -> None:
    if not rows:
        typer.echo(f"There are no keys yet in {database}.")
        typer.echo("Make one with `plugin keys create --name NAME`, or set PLUGIN_DATA_DIR.")
        return
    table = [[name.replace("_", " ") for name in rows[0]]]
    table += [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return "-" if value is None else str(value)


def _moment(seconds: int | None) -> str | None:
    from datetime import UTC, datetime

    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")

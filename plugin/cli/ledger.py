"""`plugin ledger`: whether it is what was written, what operators did, and where old rows go."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.terminal import counted
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from plugin.ledger.verify import Verdict
    from plugin.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_PATIENCE = 2.0


def register(app: typer.Typer) -> None:
    """Add the command group."""
    ledger = typer.Typer(no_args_is_help=True, help="Check the ledger, and read its acts.")
    for command in (verify, acts, archive):
        ledger.command(command.__name__)(command)
    app.add_typer(ledger, name="ledger")


def verify(
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="ROW:HASH",
            help="What an earlier check ended with: finds a ledger that was written anew.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Recompute every row's hash and every balance; name the first row that is not as written.

    Exit code 1 when a row was changed, removed or added, or a balance is not the sum of its rows.
    """
    from plugin.ledger.verify import verify as check
    from plugin.settings import load

    kept = _kept(expect)
    with open_ledger(load()) as database:
        verdict = check(database, kept)
    if as_json:
        faults = [{"row": fault.serial, "what": fault.what} for fault in verdict.faults]
        said = {"rows": verdict.rows, "head": verdict.head.hex(), "faults": faults}
        typer.echo(json.dumps(said))
    else:
        _print(verdict)
    raise typer.Exit(FINDINGS if verdict.faults else FINE)


def acts(
    last: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 20,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what was done to the service: keys, limits, settings; the last act comes last."""
    from plugin.ledger.reader import acts as of_ledger
    from plugin.settings import load

    with open_ledger(load()) as database:
        found = [_act(row) for row in reversed(of_ledger(database, last))]
    if as_json:
        typer.echo(json.dumps(found))
        return
    if not found:
        typer.echo("There are no acts yet.")
    for act in found:
        detail = " ".join(f"{name}={value}" for name, value in act["detail"].items())
        line = f"{act['time']}  {act['act']}  {act['subject'] or '-'}  by {act['by'] or '-'}"
        typer.echo(f"{line}  {detail}".rstrip())


def archive(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new directory for it, outside the service's.")
    ],
) -> None:
    """Move the whole ledger to DIR, and begin a new one whose first row names the old one's end.

    The service must be stopped. `PLUGIN_DATA_DIR=DIR plugin usage`, and `why` and `ledger verify`
    as well, read the archive. What is used of budgets stays counted.
    """
    import time

    from plugin.errors import CannotRun
    from plugin.ledger.archive import archive as move
    from plugin.server import status_file
    from plugin.settings import load

    settings = load()
    running = status_file.read(settings.data_dir)
    if running is not None:
        raise CannotRun(f"the service runs (process {running.pid}); stop it first")
    if directory.exists():
        raise CannotRun(f"{directory} is there already; name a new directory")
    with open_ledger(settings) as database:
        if any((settings.data_dir / "journal").glob("*.log")):
            raise CannotRun("some calls are still in journals; start the service and stop it")
        found = move(database, directory, "operator", int(time.time() * 1_000_000))
    typer.echo(f"{counted(found.rows, 'row')} moved to {directory}; it ends with")
    typer.echo(f"{found.rows}:{found.head}")


@contextmanager
def open_ledger(settings: "Settings") -> "Iterator[Engine]":
    """The database with all that journals hold brought in, by us or by the service that runs."""
    import time

    from plugin.errors import CannotRun
    from plugin.ledger.writer import LedgerWriter
    from plugin.storage.database import FAILURES, open_blocking, sqlite_path
    from plugin.storage.migrate import prepare

    if not sqlite_path(settings.database).exists():
        raise CannotRun(
            f"there is no ledger: nothing was served from {settings.data_dir} yet; give the "
            "PLUGIN_DATA_DIR of the service"
        )
    prepare(settings.data_dir, settings.database)
    with LedgerWriter(settings.data_dir / "journal", settings.database, time.time) as writer:
        if not writer.flush(_PATIENCE):
            typer.echo("note: some calls are still in journals, not in the ledger", err=True)
    database = open_blocking(settings.database)
    try:
        yield database
    except FAILURES as error:
        raise CannotRun(f"{settings.database} cannot be used: {error}") from None
    finally:
        database.dispose()


def _kept(text: str | None) -> tuple[int, bytes] | None:
    from plugin.errors import CannotRun

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip())
    if found is None:
        raise CannotRun("--expect is ROW:HASH, as `plugin ledger verify` prints it")
    return int(found[1]), bytes.fromhex(found[2])


def _print(verdict: "Verdict") -> None:
    for fault in verdict.faults:
        typer.secho(f"✗ {fault.what}", fg="red")
    if verdict.faults:
        typer.echo("The ledger is not what was written; a backup has what it was.")
        return
    rows = counted(verdict.rows, "row")
    typer.secho(f"✓ {rows}: the chain is whole, and the balances are the sums.", fg="green")
    typer.echo("Keep this line elsewhere; `--expect` with it finds a ledger written anew:")
    typer.echo(f"{verdict.rows}:{verdict.head.hex()}")


def _act(row: Any) -> dict[str, Any]:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(row["time"] / 1_000_000, UTC)
    return {
        "row": row["serial"],
        "time": moment.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z"),
        "act": row["action"],
        "subject": row["subject"],
        "by": row["caller_id"],
        "detail": json.loads(row["detail"] or "{}"),
    }

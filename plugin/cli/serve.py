"""`plugin serve` and `plugin up`: check everything first, then listen until told to stop."""

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from plugin.server.signals import Signals
    from plugin.server.worker_process import WorkerProcess
    from plugin.settings import Settings

    Announce = Callable[[Settings, str | None, bytes], None]

Host = Annotated[str | None, typer.Option(help="Address to listen on (PLUGIN_HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on (PLUGIN_PORT).")]
Workers = Annotated[int | None, typer.Option(help="Number of processes (PLUGIN_WORKERS).")]

_READY_SECONDS = 30


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(up)


def serve(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve the plugin."""

    def announce(settings: "Settings", _key: str | None, _document: bytes) -> None:
        import logging

        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        logging.getLogger("plugin").info("listening on http://%s:%s", host, settings.port)

    _listen(host, port, workers, announce)


def up(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve the plugin, with a first API key if there is none, and say how to call it."""

    def announce(settings: "Settings", key: str | None, document: bytes) -> None:
        from plugin.cli.banner import banner

        typer.echo(banner(settings, key, document))

    _listen(host, port, workers, announce, wants_key=True)
    typer.echo("stopped")


def _listen(
    host: str | None,
    port: int | None,
    workers: int | None,
    announce: "Announce",
    *,
    wants_key: bool = False,
) -> None:
    """Check everything, and serve until a signal; a clean stop returns."""
    from plugin.server.signals import Signals
    from plugin.server.worker_process import WorkerProcess
    from plugin.settings import load

    # The options of the command stay in force at each reload.
    options = {"host": host, "port": port, "workers": workers}
    options = {name: value for name, value in options.items() if value is not None}
    read = partial(load, **options)
    signals = Signals()
    with signals.caught():
        # It imports the application while we read the settings.
        first = WorkerProcess()
        try:
            _serve(signals, first, read, options, announce, wants_key=wants_key)
        finally:
            first.kill()


def _serve(
    signals: "Signals",
    first: "WorkerProcess",
    read: "Callable[[], Settings]",
    options: Collection[str],
    announce: "Announce",
    *,
    wants_key: bool,
) -> None:
    import threading

    from plugin.server.listener import listen
    from plugin.server.service import Given, Service
    from plugin.settings.notices import warnings

    asked = read()
    for line in warnings(asked, os.environ):
        typer.echo(f"warning: {line}", err=True)
    with listen(asked.host, asked.port, asked.data_dir, signals.wake) as listener:
        settings = asked.model_copy(update={"port": listener.getsockname()[1]})

        def serving(key: str | None) -> None:
            threading.Thread(
                target=_when_ready,
                args=(listener.getsockname(), partial(announce, settings, key)),
                daemon=True,
            ).start()

        given = Given(asked, read, options)
        Service(listener, settings, given, signals).run(first, serving, wants_key=wants_key)


def _when_ready(name: Sequence[Any], announce: Callable[[bytes], None]) -> None:
    """Call `announce` with openapi.json as soon as the service answers."""
    import http.client

    address, port = name[:2]
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(address, port, timeout=_READY_SECONDS)
    try:
        connection.request("GET", "/openapi.json")
        document = connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
    announce(document)


def interrupt(_signal: int, _frame: object) -> NoReturn:
    """Handle SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt

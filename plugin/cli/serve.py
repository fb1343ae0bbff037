"""`plugin serve` and `plugin up`: check everything first, then listen until told to stop."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import uvicorn

    from plugin.settings import Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on (PLUGIN_HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on (PLUGIN_PORT).")]
Workers = Annotated[int | None, typer.Option(help="Number of processes (PLUGIN_WORKERS).")]

_GRACE_SECONDS = 10
_READY_SECONDS = 30


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(up)


def serve(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve the plugin."""
    settings, listener = _check(host, port, workers)

    def announce(_document: bytes) -> None:
        import logging

        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        logging.getLogger("plugin").info("listening on http://%s:%s", host, settings.port)

    _listen(settings, listener, announce)


def up(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve the plugin, with a first API key if there is none, and say how to call it."""
    settings, listener = _check(host, port, workers)
    key = _first_key(settings)

    def announce(document: bytes) -> None:
        from plugin.cli.banner import banner

        typer.echo(banner(settings, key, document))

    _listen(settings, listener, announce)
    typer.echo("stopped")


def _check(
    host: str | None, port: int | None, workers: int | None
) -> "tuple[Settings, socket.socket]":
    """Read the settings, take the port, migrate; each failure is one line."""
    given = {"PLUGIN_HOST": host, "PLUGIN_PORT": port, "PLUGIN_WORKERS": workers}
    # Workers are processes of their own and read the same environment.
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    signal.signal(signal.SIGTERM, interrupt)
    from plugin.settings import load, unknown_names
    from plugin.storage.migrate import prepare

    settings = load()
    for line in unknown_names(os.environ):
        typer.echo(f"warning: {line}", err=True)
    listener = _bind(settings.host, settings.port)
    os.environ["PLUGIN_PORT"] = str(listener.getsockname()[1])
    settings = load()
    prepare(settings.data_dir, settings.database)
    return settings, listener


def _bind(host: str, port: int) -> socket.socket:
    from plugin.errors import CannotRun

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise CannotRun(_why_not(error, host, port)) from None
    listener.set_inheritable(True)
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} on {host} is in use; stop what listens there, or choose another with "
                "PLUGIN_PORT or --port"
            )
        case errno.EACCES:
            return (
                f"port {port} is not allowed for this user; choose one from 1024 on (PLUGIN_PORT)"
            )
        case _:
            return f"{host} is no address of this machine ({error.strerror}); set PLUGIN_HOST"


def _listen(
    settings: "Settings", listener: socket.socket, announce: Callable[[bytes], None]
) -> None:
    """Serve until a signal; a clean stop returns."""
    import threading

    config = _configuration(settings)
    waiting = threading.Thread(target=_when_ready, args=(listener, announce), daemon=True)
    with _engine(settings):
        waiting.start()
        try:
            _run(config, listener)
        except KeyboardInterrupt:
            # uvicorn has stopped in good order by now, and repeats the signal that told it to.
            return


@contextmanager
def _engine(settings: "Settings") -> Iterator[None]:
    """The embedded engine, from before the first request until after the last one."""
    if settings.engine == "none":
        yield
        return
    from plugin.cli.engine import options
    from plugin.engines.llama.process import Supervisor
    from plugin.engines.llama.state import FILE

    supervisor = Supervisor(options(settings), settings.data_dir / FILE)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


def _configuration(settings: "Settings") -> "uvicorn.Config":
    import uvicorn

    from plugin.app import create_app

    application = create_app(settings)
    return uvicorn.Config(
        application if settings.workers == 1 else "plugin.app:create_app",
        factory=settings.workers > 1,
        workers=settings.workers,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        log_config=log_config(settings.log_level),
    )


def _run(config: "uvicorn.Config", listener: socket.socket) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if config.workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def log_config(level: str) -> dict[str, Any]:
    """How what is logged becomes lines of JSON on stderr."""
    own = {"level": level.upper()}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "plugin.api.access_log.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"plugin": own, "uvicorn": own if level == "debug" else {"level": "WARNING"}},
    }


def _when_ready(listener: socket.socket, announce: Callable[[bytes], None]) -> None:
    """Call `announce` with openapi.json as soon as the service answers."""
    import http.client

    address, port = listener.getsockname()[:2]
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(address, port, timeout=_READY_SECONDS)
    try:
        # The port is open already: this waits in the queue until the service takes it.
        connection.request("GET", "/openapi.json")
        document = connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
    announce(document)


def _first_key(settings: "Settings") -> str | None:
    import time

    from plugin.auth import first_key
    from plugin.auth.keys import KeyStore
    from plugin.storage.database import open_blocking

    engine = open_blocking(settings.database)
    try:
        return first_key.ensure(KeyStore(engine, time.time), settings.data_dir)
    finally:
        engine.dispose()


def interrupt(_signal: int, _frame: object) -> NoReturn:
    """Handle SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt

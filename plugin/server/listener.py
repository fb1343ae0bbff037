"""The socket that the service listens on, or why it cannot have it."""

import errno
import select
import socket
import time
from pathlib import Path

import typer

from plugin.errors import CannotRun
from plugin.server import status_file

_BACKLOG = 2048
_PATIENCE = 5.0
"""Seconds for the workers of a service that was killed: they are gone after three."""
_LOOK = 0.05


def listen(host: str, port: int, directory: Path, wake: socket.socket) -> socket.socket:
    """Listen there; a service on the same data directory that was killed may still have to let go.

    Raises `CannotRun`; `wake` can be read when there is no more use in waiting.
    """
    try:
        return _listening(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not status_file.was_killed(directory):
            raise CannotRun(_why_not(error, host, port, directory)) from None
    typer.echo(
        f"port {port} is in use, maybe by the last workers of the service that was killed here; "
        f"waiting for it, {_PATIENCE:.0f} seconds at most",
        err=True,
    )
    return _as_soon_as_free(host, port, directory, wake)


def _as_soon_as_free(host: str, port: int, directory: Path, wake: socket.socket) -> socket.socket:
    deadline = time.monotonic() + _PATIENCE
    while True:
        stopped = bool(select.select([wake], [], [], _LOOK)[0])
        try:
            return _listening(host, port)
        except OSError as error:
            if stopped or time.monotonic() > deadline:
                raise CannotRun(_why_not(error, host, port, directory)) from None


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(error: OSError, host: str, port: int, directory: Path) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {host} is in use{_by_whom(directory)}"
        case errno.EACCES:
            return (
                f"port {port} is not allowed for this user; choose one from 1024 on (PLUGIN_PORT)"
            )
        case _:
            return f"{host} is no address of this machine ({error.strerror}); set PLUGIN_HOST"


def _by_whom(directory: Path) -> str:
    other = "choose another with PLUGIN_PORT or --port"
    running = status_file.read(directory)
    if running is None:
        return f"; stop what listens there, or {other}"
    return (
        f", and a service runs on {directory} already (process {running.pid}); `plugin restart` "
        f"gives it new workers; for a second one {other}"
    )

"""`plugin record`: a proxy for model SDKs that writes down what models reply, secrets masked."""

import errno
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    import uvicorn

    from plugin.harness.recording.recorder import Recorder
    from plugin.outbound.client import GuardedClient
    from plugin.transports.recording_proxy import RecordingProxy

_HOST = "127.0.0.1"
_PORT = 8788
_GRACE_SECONDS = 5
_KEEP_ALIVE_SECONDS = 75
_LARGEST_ROW = 8_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(record)


def record(
    *,
    upstream: Annotated[
        str, typer.Option(metavar="URL", help="The provider, as https://api.openai.com/v1.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Rows are appended to this file.")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")
    ] = _PORT,
    max_row: Annotated[
        int, typer.Option(min=1000, help="Bytes; what is larger passes unrecorded.")
    ] = _LARGEST_ROW,
    mask_ips: Annotated[bool, typer.Option(help="Mask IP addresses as well.")] = False,
) -> None:
    """Stand between an SDK and its provider, and record what the model replies.

    Point the SDK's base_url here. Everything passes as it is; each reply of a model becomes one row
    that `plugin judge` and `plugin replay` read. Headers are not recorded, secrets and personal
    data are masked. Ctrl-C stops.
    """
    from plugin.harness.recording.masking import Masker
    from plugin.harness.recording.recorder import Recorder
    from plugin.harness.recording.row_file import RowFile
    from plugin.masking import masked_address
    from plugin.outbound.client import GuardedClient
    from plugin.transports.recording_proxy import RecordingProxy

    client = GuardedClient(allow_loopback=True)
    _check(client, upstream)
    with _bind(port) as listener:
        rows = RowFile(out, max_row)
        recorder = Recorder(rows, Masker(addresses=mask_ips), max_row)
        address = f"http://{_HOST}:{listener.getsockname()[1]}"
        typer.echo(f"recording {masked_address(upstream)} at {address} into {out}; Ctrl-C stops")
        _serve(RecordingProxy(client, upstream, recorder, _say, max_row), listener)
        rows.close()
    _sum_up(recorder, out)


def _check(client: "GuardedClient", upstream: str) -> None:
    from plugin.errors import CannotRun
    from plugin.masking import masked_address
    from plugin.outbound.urls import AddressRefused

    try:
        client.check(upstream)
    except AddressRefused as error:
        raise CannotRun(f"--upstream {masked_address(upstream)}: {error.detail}") from None


def _bind(port: int) -> socket.socket:
    from plugin.errors import CannotRun

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        used = error.errno == errno.EADDRINUSE
        why = "is in use; stop what listens there, or" if used else f"({error.strerror}):"
        raise CannotRun(f"port {port} {why} choose another with --port") from None
    return listener


def _serve(proxy: "RecordingProxy", listener: socket.socket) -> None:
    """Serve until a signal; a clean stop returns."""
    import uvicorn

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        uvicorn.Server(configuration(proxy)).run(sockets=[listener])
    except KeyboardInterrupt:
        # uvicorn has stopped in good order by now, and repeats the signal that told it to.
        return


def configuration(proxy: "RecordingProxy") -> "uvicorn.Config":
    """A server that adds nothing of its own to what it passes on."""
    import uvicorn

    return uvicorn.Config(
        proxy,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        date_header=False,
        log_config=None,
        log_level="critical",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _sum_up(recorder: "Recorder", out: Path) -> None:
    count = recorder.recorded
    typer.echo(f"recorded {count} {'reply' if count == 1 else 'replies'} in {out}")
    for reason, times in recorder.left_out.most_common():
        typer.echo(f"not recorded: {times} answers; {reason}")


def _say(text: str) -> None:
    from plugin.harness.reports.text import visible

    typer.echo(f"error: {visible(' '.join(text.split()))}", err=True)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt

"""`plugin engine`: the embedded engine by itself; `plugin serve` starts it where it is needed."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from plugin.engines.llama.process.state import EngineState
    from plugin.settings import Settings

KEY_FILE = "engine-key"

Port = Annotated[
    int, typer.Option(min=1, max=65534, help="Port of the text model; the vectors' is the next.")
]
Threads = Annotated[int | None, typer.Option(min=1, max=1024, help="PLUGIN_ENGINE_THREADS.")]
Slots = Annotated[int | None, typer.Option(min=1, max=64, help="PLUGIN_ENGINE_SLOTS.")]
Context = Annotated[int | None, typer.Option(min=512, max=8192, help="PLUGIN_ENGINE_CONTEXT.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(engine)


def engine(
    *,
    port: Port = 8090,
    threads: Threads = None,
    slots: Slots = None,
    context: Context = None,
) -> None:
    """Serve the embedded models alone, to this machine: llama.cpp's own API behind a key.

    `plugin serve` does this by itself. Alone it serves services that are set up with
    PLUGIN_ENGINE=none and PLUGIN_UPSTREAMS.
    """
    from plugin.settings import load

    settings = load(engine_threads=threads, engine_slots=slots, engine_context=context)
    _alone(port, settings)


def _alone(port: int, settings: "Settings") -> None:
    import logging.config
    import signal
    import threading
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from plugin.cli.serve import interrupt
    from plugin.engines.llama.process.state import FILE
    from plugin.engines.llama.process.supervisor import Supervisor
    from plugin.server.engine import options, settled
    from plugin.telemetry.log_config import log_config

    logging.config.dictConfig(log_config(settings.log_level))
    key = settings.data_dir / KEY_FILE
    chosen = replace(options(settings, (port, port + 1)), key=_kept_key(key))
    signal.signal(signal.SIGTERM, interrupt)
    with TemporaryDirectory() as folder:
        supervisor = Supervisor(chosen, Path(folder, FILE))
        supervisor.start()
        try:
            typer.echo(_banner(settled(Path(folder, FILE)), key))
            threading.Event().wait()
        except KeyboardInterrupt:
            typer.echo("stopped")
        finally:
            supervisor.stop()


def _kept_key(file: Path) -> str:
    """The key that other services are set up with: made once."""
    import secrets

    from plugin.errors import CannotRun

    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as new:
                new.write(f"{secrets.token_urlsafe(32)}\n")
        return file.read_text().strip()
    except OSError as error:
        raise CannotRun(
            f"{file} cannot be used ({error.strerror}); give another PLUGIN_DATA_DIR"
        ) from None


def _banner(state: "EngineState", key: Path) -> str:
    from shlex import quote

    from plugin.engines.llama.process.models import TEXT, VECTORS
    from plugin.errors import CannotRun

    if state.state != "ready":
        raise CannotRun(state.detail)
    place = quote(str(key.absolute()))
    upstreams = ", ".join(
        f'{{"name": "{model.kind}", "base_url": "{address}/v1", '
        f'"api_key": "\'"$(cat {place})"\'", "models": ["{model.name}"]}}'
        for model, address in ((TEXT, state.text), (VECTORS, state.vectors))
    )
    return "\n".join(
        (
            "the embedded engine is up; Ctrl-C stops it. Both models are English.",
            f"  text      {state.text}/v1  {TEXT.name} ({state.slots} x {state.context} tokens)",
            f"  vectors   {state.vectors}/v1  {VECTORS.name}",
            f"  key       in {key.absolute()} (only you can read it)",
            "  use       export PLUGIN_ENGINE=none",
            f"            export PLUGIN_UPSTREAMS='[{upstreams}]'",
        )
    )

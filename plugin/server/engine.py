"""The embedded engine beside the service: its options, and when it has started."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.engines.llama.process.state import EngineState
    from plugin.engines.llama.process.supervisor import Options
    from plugin.settings import Settings


def options(settings: "Settings", ports: tuple[int, int] = (0, 0), *, spare: int = 0) -> "Options":
    """How the settings want the engine to be run, with `spare` slots more than they say."""
    from plugin.engines.llama.process.models import places
    from plugin.engines.llama.process.supervisor import Options

    return Options(
        places(settings.model_dir, settings.data_dir),
        settings.engine_threads,
        settings.engine_slots + spare,
        settings.engine_context,
        ports,
    )


def settled(file: Path, seconds: float = 30.0) -> "EngineState":
    """The engine's state as soon as it is more than a beginning, or after `seconds`."""
    import time

    from plugin.engines.llama.process.state import StateFile

    states, deadline = StateFile(file), time.monotonic() + seconds
    while (state := states.read()).state in {"starting", "stopped"}:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return state

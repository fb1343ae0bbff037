"""The engine as a process: killed, ended, without files; it always comes back, and never stays."""

from pathlib import Path

from plugin.engines.llama.state import StateFile


def test_it_runs(engine: Path) -> None:
    assert StateFile(engine).read().state == "ready"

"""The whole service with its embedded engine, as a user starts it, for clients to talk to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.running import Running, Settings, new_key, running, surroundings, until

CLIENT_PATIENCE = 300


@dataclass(frozen=True)
class GptService:
    """A running service, and how to reach its GPT API."""

    running: Running
    directory: Path
    key: str

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.running.address.port}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What a client's documentation tells to export."""
        return {
            **surroundings(),
            "OPENAI_API_KEY": self.key,
            "OPENAI_API_BASE": self.base_url,
            "OPENAI_BASE_URL": self.base_url,
        }

    def shell(self, line: str) -> "subprocess.CompletedProcess[str]":
        """A line of a page, as its readers paste it; commands are those of this environment."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(  # noqa: S602 - our own page's line
            line,
            shell=True,
            cwd=self.directory,
            env={**self.environment, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_PATIENCE,
            check=False,
        )

    def run(self, command: Sequence[str], given: str = "") -> "subprocess.CompletedProcess[str]":
        """A client's process, run to its end."""
        return subprocess.run(  # noqa: S603 - a real client with a script of ours
            command,
            cwd=self.directory,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=CLIENT_PATIENCE,
            check=False,
        )


def engine_state(directory: Path) -> str:
    """What the supervisor says of the engine."""
    try:
        state: str = json.loads((directory / "data" / "engine.json").read_text())["state"]
    except (OSError, ValueError):
        return ""
    return state


@contextmanager
def serving_gpt(directory: Path, settings: Settings | None = None) -> Iterator[GptService]:
    """`plugin serve` with the engine ready to answer."""
    given = {"PLUGIN_ENGINE": "embedded", **(settings or {})}
    with running(directory, "serve", settings=given) as service:
        if given["PLUGIN_ENGINE"] == "embedded":
            until(lambda: engine_state(directory) == "ready")
        yield GptService(service, directory, new_key(directory)["key"])

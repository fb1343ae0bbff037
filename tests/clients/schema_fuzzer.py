"""Schemathesis as its users run it: the command, an address and a key."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journeys.running import Running, new_key, running
from tests.open_meteo import settings_for, weather_source

LONGEST_RUN = 3600
V1 = Path(__file__).with_name("schemathesis_v1.toml")
"""The settings for `/v1/openapi.json`."""

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fuzzed:
    """How a run ended, what it printed, and its report."""

    code: int
    printed: str
    report: dict[str, Any]


@contextmanager
def served(directory: Path) -> Iterator[tuple[Running, str]]:
    """A service whose weather knows every place, and a key that may do everything."""
    with (
        weather_source(everywhere=True) as source,
        running(directory, "serve", settings=settings_for(source)) as service,
    ):
        yield service, new_key(directory)["key"]


def fuzz(
    directory: Path, description: str, key: str, *options: str, config: Path | None = None
) -> Fuzzed:
    """Run every check on what `description` (an address or a file) promises.

    A file of settings says itself how the key is sent; it finds it as FUZZER_KEY.
    """
    report = directory / "report.json"
    command = [str(Path(sys.executable).with_name("schemathesis"))]
    sent = ["--header", f"Authorization: Bearer {key}"]
    if config is not None:
        command, sent = [*command, "--config-file", str(config)], []
    done = subprocess.run(  # noqa: S603 - the tool of this very environment
        [
            *(*command, "run", description),
            *(*sent, "--checks", "all"),
            *("--continue-on-failure", "--generation-database", "none", "--no-color"),
            *("--report-json-path", str(report), *options),
        ],
        cwd=directory,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(_ROOT), "FUZZER_KEY": key},
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )
    return Fuzzed(done.returncode, done.stdout + done.stderr, json.loads(report.read_text()))

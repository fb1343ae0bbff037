"""`plugin` commands that run in the process of the tests: a process of their own takes a second."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from plugin.cli import main
from tests.journeys.running import Settings, surroundings


def plugin_here(
    directory: Path, *arguments: str, settings: Settings | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a `plugin` command that ends by itself, as `running.plugin` does.

    The command changes the directory and the environment of this process while it runs.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.chdir(directory)
        for name in [name for name in os.environ if name.startswith("PLUGIN_")]:
            patched.delenv(name)
        for name, value in surroundings(settings).items():
            patched.setenv(name, value)
        patched.setattr(sys, "argv", ["plugin", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(["plugin", *arguments], _number(code), *said)


def _number(code: object) -> int:
    if isinstance(code, int):
        return code
    return 0 if code is None else 1

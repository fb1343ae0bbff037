"""The `plugin` command, run in this process as its script runs it."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from plugin.cli import main


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ran]


def command(
    patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[bytes], group: str
) -> Command:
    """A command group, ready to be called with its arguments."""

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        captured.readouterr()
        patch.setattr(sys, "argv", ["plugin", group, *map(str, arguments)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = captured.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0, out.decode(), err.decode())

    return run

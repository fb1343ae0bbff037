"""What the engine's process writes, as its parent hears it."""

import logging
import sys

import pytest

from plugin.engines.llama.process.child import Child
from plugin.engines.llama.process.server import Plan

PLAN = Plan("text.gguf", "text", "vectors.gguf", "vectors", "key", 1, 1, 512)
TOLD = """
import sys
print('{"text": "http://127.0.0.1:1"}\\ntext\\nother', flush=True)
print("0.00.1 E llg error: too complex\\n<state>\\nTokens: a secret\\n}\\n</state><grammar>\\n"
      "start: a secret\\n</grammar>\\n0.00.2 W something else", file=sys.stderr)
"""


def test_a_grammar_that_is_dropped_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        child = Child(PLAN, logging.getLogger("test"), (sys.executable, "-c", TOLD))
        assert child.addresses() == {"text": "http://127.0.0.1:1"}
        assert child.wait() == 0
    assert "something else" in caplog.text
    assert "secret" not in caplog.text
    assert [r.levelno for r in caplog.records if "llg error" in r.message] == [logging.DEBUG]


def test_beats_are_heard() -> None:
    child = Child(PLAN, logging.getLogger("test"), (sys.executable, "-c", TOLD))
    assert child.beats() == {}
    child.addresses()
    child.wait()
    assert child.beats().keys() == {"text"}

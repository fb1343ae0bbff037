"""A service that is not ours, run as a process: each planted breach is found, and blamed on it."""

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.journeys.foreign.boats import BREAKS, SLOW_SECONDS, slug
from tests.journeys.in_process import plugin_here
from tests.journeys.running import PATIENCE, free_port, plugin, surroundings, until

HERE = Path(__file__).parent / "foreign"
CALLS, DOCUMENT = str(HERE / "calls.jsonl"), str(HERE / "boats.json")
ROOT = Path(__file__).parents[2]

CAUGHT_BY = {
    # the breach, and the checks that have to fail for it: no more, no fewer
    "wrong status": ["status"],
    "missing property": ["schema"],
    "wrong type": ["schema"],
    "extra enum value": ["schema"],
    "wrong value in a map": ["schema"],
    "not the kind of value": ["schema"],
    "oversize": ["size"],
    "slow": ["time"],
    "HTML error": ["status", "error_shape"],
    "empty body": ["schema"],
    "cut JSON": ["schema"],
    "wrong content type": ["content_type"],
    "crash": ["status"],
    "500 as declared by default": ["status"],
    "refuses what fits": ["status", "accepted"],
    "connection cut": ["answer"],
}


@pytest.fixture(scope="module")
def yard() -> Iterator[str]:
    """The address of the service under uvicorn: it has each breach under another path."""
    port = free_port()
    target = ("--factory", "tests.journeys.foreign.boats:application")
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "uvicorn", *target, "--port", str(port), "--log-level", "critical"],
        cwd=ROOT,
        env=surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, "uvicorn ended"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def options(url: str, *more: str, seconds: float = PATIENCE) -> list[str]:
    """Return the arguments of `plugin replay`; an answer may take so many seconds."""
    given = ("--url", url, "--openapi", DOCUMENT, "--allow-consequential", "--key", "special-key")
    return ["replay", CALLS, *given, "--max-seconds", str(seconds), "--json", *more]


def lines_of(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def failed_checks(line: dict[str, Any]) -> list[str]:
    return [check["check"] for check in line["checks"] if not check["ok"]]


def test_every_breach_is_planted() -> None:
    assert CAUGHT_BY.keys() == BREAKS.keys()
    assert len(BREAKS) >= 12


def test_nothing_is_blamed_where_nothing_is_planted(tmp_path: Path, yard: str) -> None:
    lines = lines_of(plugin(tmp_path, *options(f"{yard}/well")))
    assert {line["outcome"] for line in lines} == {"passed"}
    assert len({line["operation"] for line in lines}) == 7
    assert [line["status"] for line in lines] == [200, 200, 200, 200, 200, 200, 200, 404]


@pytest.mark.parametrize("broken", BREAKS)
def test_the_service_is_blamed_and_the_model_is_not(tmp_path: Path, yard: str, broken: str) -> None:
    guilty = BREAKS[broken][0]
    junit = tmp_path / "report.xml"
    seconds = SLOW_SECONDS * 2 / 3 if broken == "slow" else PATIENCE
    given = options(f"{yard}/{slug(broken)}", "--junit", str(junit), seconds=seconds)
    lines = lines_of(plugin_here(tmp_path, *given))
    blamed = [line for line in lines if line["outcome"] == "service_broke_contract"]
    assert {line["operation"] for line in blamed} == {guilty}
    assert [failed_checks(line) for line in blamed] == [CAUGHT_BY[broken]]
    assert not any(line["faults"] for line in lines)
    others = Counter(line["outcome"] for line in lines if line not in blamed)
    assert others == {"passed": len(lines) - 1}
    failures = ET.parse(junit).getroot().iter("failure")  # noqa: S314 - it is our own
    assert [failure.get("type") for failure in failures] == ["service_broke_contract"]

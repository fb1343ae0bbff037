import json
import logging
import threading
import time
from io import BytesIO
from typing import Any

import pytest

from plugin.telemetry import access_log
from plugin.telemetry.access_log import AccessLog, JsonLines
from plugin.trail import Trail, current


def _lines(stream: BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_records_become_lines_with_their_own_time() -> None:
    stream = BytesIO()
    log = AccessLog(stream, iter([0.0, 1.5]).__next__, every=0.01)
    log.start()
    log.write({"status": 200})
    log.write({"status": 404, "path": None})
    log.close()
    assert _lines(stream) == [
        {"time": "1970-01-01T00:00:00.000+00:00", "status": 200},
        {"time": "1970-01-01T00:00:01.500+00:00", "status": 404, "path": None},
    ]


def test_what_is_left_is_written_at_the_end_and_it_can_start_again() -> None:
    stream = BytesIO()
    log = AccessLog(stream, time.time, every=3600)
    for _ in range(2):
        log.start()
        log.write({"n": 1})
        log.close()
    assert len(_lines(stream)) == 2


class _Stuck(BytesIO):
    """A reader that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def write(self, data: Any) -> int:
        self.reached.set()
        self.let_go.wait(10)
        return super().write(data)


def test_a_stuck_reader_costs_records_not_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_CAPACITY", 50)
    stream = _Stuck()
    log = AccessLog(stream, time.time, every=0.001)
    log.start()
    log.write({"n": -1})
    assert stream.reached.wait(5)
    started = time.perf_counter()
    for number in range(1_000):
        log.write({"n": number})
    assert time.perf_counter() - started < 1
    stream.let_go.set()
    log.close()
    lines = _lines(stream)
    assert [line["n"] for line in lines if "n" in line] == [-1, *range(950, 1_000)]
    assert [line["count"] for line in lines if line.get("event") == "records_dropped"] == [950]


def test_a_reader_that_is_gone_harms_nothing() -> None:
    stream = BytesIO()
    log = AccessLog(stream, time.time, every=0.001)
    log.start()
    stream.close()
    log.write({"n": 1})
    log.close()


class _Writes(BytesIO):
    """Remembers how much came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self.pieces.append(bytes(data))
        return len(data)


def test_lines_of_several_processes_do_not_mix() -> None:
    stream = _Writes()
    log = AccessLog(stream, time.time, every=3600)
    log.start()
    for number in range(500):
        log.write({"n": number, "text": "x" * 100})
    log.close()
    assert all(len(piece) <= 4096 and piece.endswith(b"\n") for piece in stream.pieces)
    assert len(b"".join(stream.pieces).splitlines()) == 500


def test_other_logs_are_lines_of_the_same_kind() -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        record = logging.getLogger("plugin.x").makeRecord(
            "plugin.x", logging.ERROR, __file__, 1, "it %s", ("failed",), _exc_info()
        )
    line = JsonLines().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("error", "plugin.x", "it failed")
    assert "ValueError: boom" in entry["traceback"]


def test_what_is_logged_for_a_request_carries_its_id() -> None:
    record = logging.makeLogRecord({"name": "plugin.x", "msg": "it failed"})
    before = current.set(Trail("req_1"))
    try:
        inside = json.loads(JsonLines().format(record))
    finally:
        current.reset(before)
    assert inside["request_id"] == "req_1"
    assert "request_id" not in json.loads(JsonLines().format(record))


def _exc_info() -> Any:
    import sys

    return sys.exc_info()

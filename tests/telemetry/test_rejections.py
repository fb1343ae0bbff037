from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugin.telemetry.record import RequestRecord
from plugin.telemetry.rejections import Decisions, decided

NOW = 1_800_000_000.0
WAY = [{"what": "refused", "status": 429, "code": "rate_limit_exceeded", "text": "No."}]


def record(request_id: str, **given: Any) -> RequestRecord:
    found = RequestRecord(
        request_id,
        "GET",
        client="192.0.2.1",
        path="/todos",
        status=429,
        size=300,
        ms=0.2,
        caller="key_1",
    )
    return replace(found, **given)


def test_a_decision_is_found_by_its_request_id(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path / "decisions", lambda: NOW)
    decisions.add(record("req_1", limit="key-requests-minute"), WAY)
    decisions.add(record("req_10"), WAY)
    decisions.add(record("req_2", caller=None, status=401), [])
    assert decided(tmp_path / "decisions", "req_1") == []
    decisions.tend()
    (told,) = decided(tmp_path / "decisions", "req_1")
    assert told["time"] == int(NOW * 1_000_000)
    assert (told["limit"], told["way"], told["caller"]) == ("key-requests-minute", WAY, "key_1")
    assert "client" not in told
    (other,) = decided(tmp_path / "decisions", "req_2")
    assert "caller" not in other
    assert decided(tmp_path / "decisions", "req") == []


def test_an_id_that_was_used_twice_gives_both(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path, iter([2.0, 1.0]).__next__)
    decisions.add(record("mine", status=403), WAY)
    decisions.add(record("mine", caller=None, status=401), WAY)
    decisions.tend()
    assert [told["status"] for told in decided(tmp_path, "mine")] == [401, 403]


def test_strangers_cannot_push_out_what_concerns_a_caller(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path, lambda: NOW, size=10_000)
    decisions.add(record("req_of_a_caller"), WAY)
    for number in range(1_000):
        decisions.add(record(f"req_{number}", caller=None, status=401), WAY)
        decisions.tend()
    assert len(decided(tmp_path, "req_of_a_caller")) == 1
    assert len(decided(tmp_path, "req_999")) == 1
    assert decided(tmp_path, "req_0") == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 25_000


def test_a_flood_between_two_looks_costs_a_bounded_memory(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path, lambda: NOW)
    for number in range(20_000):
        decisions.add(record(f"req_{number}"), [])
    assert len(decisions._waiting) == 5_000
    decisions.tend()
    assert len(decided(tmp_path, "req_19999")) == 1


def test_two_workers_write_to_the_same_files(tmp_path: Path) -> None:
    workers = [Decisions(tmp_path, lambda: NOW, size=20_000) for _ in range(2)]
    for number in range(200):
        workers[number % 2].add(record(f"req_{number}"), WAY)
        workers[number % 2].tend()
    there = [number for number in range(200) if decided(tmp_path, f"req_{number}")]
    assert there == list(range(there[0], 200))
    assert len(there) > 50


def test_a_line_that_is_broken_hides_no_other(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path, lambda: NOW)
    decisions.add(record("req_1"), [])
    decisions.tend()
    (path,) = tmp_path.iterdir()
    path.write_bytes(b'{"request_id":"req_1",\n[]\n' + path.read_bytes() + b'{"request_id":"req_1"')
    assert len(decided(tmp_path, "req_1")) == 1


def test_a_full_disk_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "decisions").write_text("a file where a directory should be")
    decisions = Decisions(tmp_path / "decisions", lambda: NOW)
    for _ in range(3):
        decisions.add(record("req_1"), [])
        decisions.tend()
    assert [one.levelname for one in caplog.records] == ["WARNING"]
    (tmp_path / "decisions").unlink()
    decisions.add(record("req_2"), [])
    decisions.tend()
    assert len(decided(tmp_path / "decisions", "req_2")) == 1

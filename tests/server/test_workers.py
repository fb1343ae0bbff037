"""The workers as their parent keeps them, with processes that do what a test tells them."""

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from plugin.gate.counters import file as counter_file
from plugin.server import status_file, worker_process, workers
from plugin.server.drain import Drain
from plugin.server.signals import Signals
from plugin.server.status_file import Standing
from plugin.server.worker_process import WorkerProcess
from plugin.server.workers import Workers
from plugin.settings import Settings

FAKE = """
import os, pickle, select, socket, sys, time
control = socket.socket(fileno=int(sys.argv[1]))
head, _, *_ = socket.recv_fds(control, 4, 1)
if not head:
    sys.exit()
control.recv(int.from_bytes(head), socket.MSG_WAITALL)
how = os.environ["HOW"]
if how == "cannot":
    control.sendall(b'{"cannot": "it is of no use"}\\n')
    sys.exit(2)
if how == "dies":
    sys.exit(7)
control.sendall(b'{"checked": true}\\n{"ready": true, "key": "k"}\\n')
while how == "signs":
    control.sendall(b'{"alive": true}\\n')
    if select.select([control], [], [], 0.1)[0]:
        break
control.recv(1000)
control.sendall(b'{"closed": true}\\n')
if how == "stays":
    time.sleep(60)
"""

Told = Callable[[str], None]


def settings(number: int = 1) -> Settings:
    return Settings(workers=number, drain_seconds=0)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Says how the next workers behave."""
    monkeypatch.setattr(worker_process, "COMMAND", (sys.executable, "-c", FAKE))
    monkeypatch.setattr(worker_process, "_SPARE", 0.3)

    def tell(how: str) -> None:
        monkeypatch.setenv("HOW", how)

    tell("serves")
    return tell


@pytest.fixture
def pool(told: Told) -> Iterator[Workers]:
    told("serves")
    signals = Signals()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pool = Workers(listener, settings(2), signals)
        yield pool
        pool.stop()
    signals.close()


def start(pool: Workers) -> str | None:
    return pool.start(WorkerProcess(), lambda: None)


def pids(pool: Workers) -> list[int]:
    return [worker.pid for worker in pool._serving]


def pumped(pool: Workers, found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not found():
        assert time.monotonic() < deadline, "waited too long"
        pool.pump(0.1)


def test_all_are_started(pool: Workers) -> None:
    checked = list[bool]()
    assert pool.start(WorkerProcess(), lambda: checked.append(True)) is None
    assert checked == [True]
    assert len(set(pids(pool))) == 2


@pytest.mark.parametrize(("how", "why"), [("cannot", "it is of no use"), ("dies", "exit code 7")])
def test_a_start_that_fails_says_why(pool: Workers, told: Told, how: str, why: str) -> None:
    told(how)
    assert why in (start(pool) or "")
    assert not pool._serving


def test_one_that_dies_is_replaced_and_later_if_they_die_in_a_row(
    pool: Workers, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "plugin.workers")
    assert start(pool) is None
    before = pids(pool)
    told("dies")
    pool._serving[0]._process.kill()
    pumped(pool, lambda: len(caplog.records) == 2)
    told("serves")
    pumped(pool, lambda: len(pool._serving) == 2)
    first, second = (record.getMessage() for record in caplog.records)
    assert f"worker {before[0]} died (signal 9); another is started at once" in first
    assert "died (exit code 7); another is started in 2 s" in second
    assert before[1] in pids(pool)


def test_each_is_replaced_and_there_may_be_fewer(pool: Workers) -> None:
    assert start(pool) is None
    before, accepted = pids(pool), list[bool]()
    assert pool.replace(settings(2), lambda: accepted.append(True)) is None
    assert len(set(pids(pool)) - set(before)) == 2
    assert accepted == [True]
    assert pool.replace(settings(1), lambda: None) is None
    assert len(pool._serving) == 1
    assert pool.replace(settings(3), lambda: None) is None
    pool.settle(10)
    assert len(pool._serving) == 3
    assert not pool._leaving


@pytest.mark.parametrize("how", ["cannot", "dies"])
def test_a_new_one_that_does_not_serve_changes_nothing(pool: Workers, told: Told, how: str) -> None:
    assert start(pool) is None
    before, had = pids(pool), pool.settings
    told(how)
    assert pool.replace(settings(3), lambda: pytest.fail("accepted")) is not None
    assert (pids(pool), pool.settings) == (before, had)


def test_a_stop_ends_a_round_under_way(pool: Workers) -> None:
    assert start(pool) is None
    pool._signals._write.send(bytes([15]))
    pool.pump(1)
    assert pool.stopping
    assert pool.replace(settings(2), lambda: None) == "the service is stopping"


def test_one_that_does_not_end_is_killed(
    pool: Workers, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told("stays")
    assert start(pool) is None
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 10
    assert not pool._leaving
    assert "does not end and is killed" in caplog.text


def test_one_that_shows_no_life_is_ended_and_the_others_stay(
    pool: Workers, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    told("signs")
    assert start(pool) is None
    [stays] = pids(pool)[1:]
    pumped(pool, lambda: all(worker.ready for worker in pool._serving))
    pool.settings = pool.settings.model_copy(update={"hang_seconds": 2})
    hangs = pool._serving[0]
    os.kill(hangs.pid, signal.SIGSTOP)
    pumped(pool, lambda: hangs not in pool._serving and len(pool._serving) == 2)
    assert stays in pids(pool)
    assert f"worker {hangs.pid} gave no sign of life for 2 s" in caplog.text
    pumped(pool, lambda: all(worker.ready for worker in pool._serving))


def test_nobody_is_ended_for_what_was_not_heard_meanwhile(pool: Workers, told: Told) -> None:
    told("signs")
    assert start(pool) is None
    pool.settings = pool.settings.model_copy(update={"hang_seconds": 2})
    before = pids(pool)
    for worker in pool._serving:
        worker.heard -= 100
    pool._looked -= 100  # it was the parent that was stopped
    pool._end_the_silent(time.monotonic())
    assert pids(pool) == before


def test_who_still_answers_makes_room_where_there_are_too_many(
    pool: Workers, told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told("stays")
    monkeypatch.setattr(workers, "MOST", 3)
    assert start(pool) is None
    assert pool.replace(settings(2), lambda: None) is None
    assert len(pool._serving) + len(pool._leaving) <= 3
    assert "still answers, and makes room: 3 processes are the most" in caplog.text


def test_as_many_as_a_round_needs_can_share_counts() -> None:
    [most] = [one.le for one in Settings.model_fields["workers"].metadata if hasattr(one, "le")]
    commands = 4
    assert most < workers.MOST <= counter_file.WORKERS - commands
    with pytest.raises(ValidationError):
        settings(most + 1)


def test_a_second_signal_hurries(
    pool: Workers, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("stays")
    monkeypatch.setattr(workers, "_TWICE", 0.0)
    pool.settings = Settings(workers=2, drain_seconds=300)
    assert start(pool) is None
    pool._signals._write.send(bytes([15]))
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 10


def test_signals_other_than_stops_are_asked_for_once(pool: Workers) -> None:
    pool._signals._write.send(bytes([1, 12]))
    pool.pump(1)
    assert pool.asked() == {1, 12}
    assert pool.asked() == set()


def test_an_order_is_read_as_it_was_written() -> None:
    order = Drain(3.5, 0.2, 1.0)
    assert Drain.read(order.line()) == order


def test_a_worker_ends_when_its_parent_dies_before_it_has_heard_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    worker = WorkerProcess()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.begin(listener, Settings(engine="none"))
        deadline = time.monotonic() + 30
        while b"ready" not in worker.control.recv(1000, socket.MSG_PEEK):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # as a killed process does: with something unread
        worker.control.close()
    try:
        assert worker._process.wait(10) in {0, 1}
    finally:
        worker._process.kill()
        worker._process.wait()


def test_one_service_has_the_name_while_it_lives(tmp_path: Path) -> None:
    assert status_file.read(tmp_path) is None
    with status_file.ours(tmp_path) as first:
        assert first
        status_file.write(tmp_path, Standing(7, 2, 1, "why"))
        assert status_file.read(tmp_path) == Standing(7, 2, 1, "why")
        assert (tmp_path / status_file.FILE).stat().st_mode & 0o777 == 0o600
        with status_file.ours(tmp_path) as second:
            assert not second
        assert status_file.read(tmp_path) == Standing(7, 2, 1, "why")
    assert status_file.read(tmp_path) is None

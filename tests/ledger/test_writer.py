import logging
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from plugin.ledger.batch import Batch, ReadByAnother, put
from plugin.ledger.writer import LedgerWriter
from plugin.ledger.writer_lock import WriterLock
from tests.ledger.world import DAY, NOW, World, call, outcome
from tests.sizes import sized


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def balances(world: World) -> list[tuple[Any, ...]]:
    with world.database.connect() as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(
                "SELECT caller_id, day, model, action, calls, tokens_in, tokens_out, units "
                "FROM ledger_balances ORDER BY 1, 2, 3, 4"
            )
        ]


def count(world: World, table: str) -> int:
    with world.database.connect() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() or 0)  # noqa: S608 - our own


def test_a_call_becomes_a_row(world: World) -> None:
    with world.journal("w") as journal:
        number = journal.opened(call(1))
        journal.settled(number, call(1), outcome(ended="streamed", duration=12, detail="{}"))
        assert world.drain()
        (row,) = world.rows()
        row = {name: value for name, value in row.items() if name != "hash"}
        assert row == {
            "serial": 1,
            "kind": "call",
            "worker": "w",
            "number": 1,
            "subject": None,
            **call(1)._asdict(),
            **outcome(ended="streamed", duration=12, detail="{}")._asdict(),
        }
        assert balances(world) == [("key_ann", DAY, "small", "/v1/chat/completions", 1, 3, 4, 7)]
        assert world.faults() == []


def test_a_call_under_way_is_open_until_it_ends(world: World) -> None:
    with world.journal("w") as journal:
        journal.opened(call(1))
        journal.opened(call(2))
        world.drain()
        assert (count(world, "ledger_open"), world.rows()) == (2, [])
        journal.settled(2, call(2), outcome())
        world.drain()
        assert (count(world, "ledger_open"), world.ids()) == (1, ["req_2"])


def test_what_a_dead_worker_left_open_is_charged_as_reserved(world: World) -> None:
    journal = world.journal("w")
    journal.opened(call(1))
    journal.opened(call(2, model=None, reserved=0))
    journal.amended(2, call(2, model="large", reserved=55))
    world.drain()
    assert world.rows() == []
    journal.close()
    assert world.drain()
    told = [(row["ended"], row["units"], row["model"], row["tokens_in"]) for row in world.rows()]
    assert told == [("unsettled", 100, "small", 0), ("unsettled", 55, "large", 0)]
    assert (count(world, "ledger_open"), count(world, "ledger_journals")) == (0, 0)
    assert world.files() == []
    assert world.faults() == []


def test_a_worker_that_lives_keeps_its_journal_and_its_calls(world: World) -> None:
    with world.journal("w", part_size=300) as journal:
        journal.opened(call(1))
        for number in range(2, 12):
            journal.opened(call(number))
            journal.settled(number, call(number), outcome())
        assert world.drain()
        assert len(world.files()) == 1  # the older parts are read and gone
        assert count(world, "ledger_open") == 1
        journal.settled(1, call(1), outcome())
    assert world.drain()
    assert Counter(world.ids()) == Counter(f"req_{number}" for number in range(1, 12))
    assert {row["ended"] for row in world.rows()} == {"whole"}
    assert world.files() == []


def test_acts_stand_in_the_same_chain(world: World) -> None:
    with world.journal("w") as journal:
        journal.act("key created", "key_ann", {"name": "Ann"}, by="key_root")
    world.drain()
    (row,) = world.rows("act")
    assert (row["action"], row["subject"], row["caller_id"]) == (
        "key created",
        "key_ann",
        "key_root",
    )
    assert row["detail"] == '{"name":"Ann"}'
    assert balances(world) == []
    assert world.faults() == []


def test_balances_are_of_a_caller_a_day_a_model_and_an_action(world: World) -> None:
    later = call(3).time + 86_400_000_000
    with world.journal("w") as journal:
        for given in (call(1), call(2), call(3, time=later), call(4, model=None, action="todo")):
            journal.settled(journal.opened(given), given, outcome())
    world.drain()
    chat = "/v1/chat/completions"
    assert balances(world) == [
        ("key_ann", DAY, "", "todo", 1, 3, 4, 7),
        ("key_ann", DAY, "small", chat, 2, 6, 8, 14),
        ("key_ann", DAY + 1, "small", chat, 1, 3, 4, 7),
    ]
    assert world.faults() == []


def test_rubbish_is_noted_and_the_rest_is_read(world: World) -> None:
    with world.journal("w") as journal:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        path = world.journals / "w.000001.log"
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(b"\0rubbish\n" * 40)
        journal.settled(journal.opened(call(2)), call(2), outcome())
        assert world.drain()
        assert world.ids() == ["req_1", "req_2"]
        (act,) = world.rows("act")
        assert (act["action"], act["subject"]) == ("journal damaged", path.name)
        assert act["detail"] == f'{{"file":"{path.name}","offset":{size},"bytes":360}}'
    world.drain()
    assert len(world.rows("act")) == 1


@pytest.mark.parametrize("keep", [0, 10, 150])
def test_a_journal_that_somebody_cut_is_read_on(world: World, keep: int) -> None:
    with world.journal("w") as journal:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        journal.settled(journal.opened(call(2)), call(2), outcome())
        world.drain()
        os.truncate(world.journals / "w.000001.log", keep)
        for number in (3, 4):
            journal.settled(journal.opened(call(number)), call(number), outcome())
        os.truncate(world.journals / "w.000001.log", keep)
        assert world.drain()
        journal.settled(journal.opened(call(5)), call(5), outcome())
    assert world.drain()
    assert Counter(world.ids()) == Counter(["req_1", "req_2", "req_5"])
    assert "journal damaged" in {row["action"] for row in world.rows("act")}
    assert world.faults() == []


def test_a_torn_last_line_of_a_dead_worker_is_passed_over(world: World) -> None:
    with world.journal("w") as journal:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        journal.opened(call(2))
    path = world.journals / "w.000001.log"
    os.truncate(path, path.stat().st_size - 1)
    assert world.drain()
    assert world.ids() == ["req_1"]
    assert [row["action"] for row in world.rows("act")] == ["journal damaged"]
    assert world.files() == []


def test_a_call_settled_twice_has_one_row(world: World) -> None:
    with world.journal("w") as journal:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        journal.settled(1, call(1), outcome())
        world.drain()
        journal.settled(1, call(1), outcome())
        world.drain()
        assert world.ids() == ["req_1"]
    world.drain()
    assert world.ids() == ["req_1"]


def test_a_journal_read_anew_adds_nothing(world: World) -> None:
    with world.journal("w") as journal:
        for number in range(1, 4):
            journal.settled(journal.opened(call(number)), call(number), outcome())
        journal.opened(call(4))
        world.drain()
        world.change("DELETE FROM ledger_journals")
        assert world.drain()
        assert (len(world.rows()), count(world, "ledger_open")) == (3, 1)
        assert world.faults() == []


class Killed(BaseException):
    """What ends a writer in the middle."""


def stop_at(
    writer: LedgerWriter, step: int, how: BaseException, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], int]:
    """Raise before the writer's `step`th statement, commit, read or removal; tells how many."""
    steps = 0

    def one(*_: object, **__: object) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise how

    def before(function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*given: Any, **named: Any) -> Any:
            one()
            return function(*given, **named)

        return stepped

    event.listen(writer._database, "before_cursor_execute", one)
    event.listen(writer._database, "commit", one)
    monkeypatch.setattr(os, "pread", before(os.pread))
    monkeypatch.setattr(Path, "unlink", before(Path.unlink))
    return lambda: steps


Calls = tuple[World, set[int], set[int]]


def each_step(tmp_path: Path, seed: int) -> Iterator[tuple[int, Calls]]:
    """The same journals again and again; calls that ended, and that did not."""
    settled, left = some_calls(World(tmp_path / "0"), random.Random(seed))  # noqa: S311 - the same each time
    for step in range(1, 1_000):
        shutil.copytree(tmp_path / "0", tmp_path / str(step))
        world = World(tmp_path / str(step))
        yield step, (world, settled, left)
        world.database.dispose()


def some_calls(world: World, dice: random.Random) -> tuple[set[int], set[int]]:
    """Journals of dead workers, some of it read already: calls that ended, and that did not."""
    numbers, settled, left = iter(range(1, 10_000)), set[int](), set[int]()
    for name in ("a", "b"):
        with world.journal(name, part_size=700) as journal:
            under_way: dict[int, int] = {}
            for _ in range(14):
                if under_way and dice.random() < 0.5:
                    number, one = under_way.popitem()
                    journal.settled(number, call(one), outcome())
                    settled.add(one)
                else:
                    one = next(numbers)
                    under_way[journal.opened(call(one))] = one
                if dice.random() < 0.03:
                    world.drain()
            left.update(under_way.values())
    return settled, left


@pytest.mark.parametrize("seed", range(sized(1, 3)))
def test_killed_between_any_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for step, calls in each_step(tmp_path, seed):
        world, *_ = calls
        writer = world.writer()
        with monkeypatch.context() as patch:
            steps = stop_at(writer, step, Killed(), patch)
            with suppress(Killed):
                writer.drain()
        writer._lock.release()  # what a death does
        writer._database.dispose()
        assert world.drain()
        each_has_one_row(*calls)
        if steps() < step:
            break
    assert step > 30


def test_a_failure_at_any_step_and_the_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = (OSError("no"), OperationalError("no", None, Exception()))
    for step, calls in each_step(tmp_path, 0):
        fault = faults[step % 2]
        with calls[0].writer() as writer:
            with monkeypatch.context() as patch:
                steps = stop_at(writer, step, fault, patch)
                writer.drain()
            assert writer.drain()
            each_has_one_row(*calls)
        if steps() < step:
            break
    assert step > 30


def each_has_one_row(world: World, settled: set[int], left: set[int]) -> None:
    told = Counter((row["request_id"], row["ended"]) for row in world.rows())
    assert told == Counter(
        [(f"req_{one}", "whole") for one in settled] + [(f"req_{one}", "unsettled") for one in left]
    )
    assert world.faults() == []
    assert (world.files(), count(world, "ledger_open")) == ([], 0)


def _some_calls(world: World, dice: random.Random) -> tuple[set[int], set[int]]:
    """Journals of dead workers, some of it read already: calls that ended, and that did not."""
    numbers, settled, left = iter(range(1, 10_000)), set[int](), set[int]()
    for name in ("a", "b"):
        with world.journal(name, part_size=700) as journal:
            under_way: dict[int, int] = {}
            for _ in range(14):
                if under_way and dice.random() < 0.5:
                    number, one = under_way.popitem()
                    journal.settled(number, call(one), outcome())
                    settled.add(one)
                else:
                    one = next(numbers)
                    under_way[journal.opened(call(one))] = one
                if dice.random() < 0.1:
                    world.drain()
            left.update(under_way.values())
    return settled, left


def test_a_batch_counts_only_where_the_last_one_ended(world: World) -> None:
    put_in: list[int] = []
    for begin, end in ((0, 10), (0, 10), (5, 20), (10, 20)):
        with suppress(ReadByAnother), world.database.begin() as connection:
            put(connection, Batch("w", "w.000001.log", begin, end, ()), 0)
            put_in.append(begin)
    assert put_in == [0, 10]


def test_two_writers_at_once_double_nothing(world: World) -> None:
    """Even if the lock did not keep them apart, as after its file was deleted."""
    writers = [world.writer() for _ in range(3)]
    for number, writer in enumerate(writers):
        writer._lock = WriterLock(world.directory / f"lock_{number}")
    with world.journal("w") as journal:
        threads = [threading.Thread(target=_drain_often, args=(one,)) for one in writers]
        for thread in threads:
            thread.start()
        for number in range(1, 1_001):
            journal.settled(journal.opened(call(number)), call(number), outcome())
        for thread in threads:
            thread.join()
        for writer in writers:
            writer.drain()
    for writer in writers:
        writer.close()
    assert world.ids() == [f"req_{number}" for number in range(1, 1_001)]
    assert world.faults() == []


def _drain_often(writer: LedgerWriter) -> None:
    for _ in range(10):
        writer.drain()


def test_one_writer_at_a_time(world: World) -> None:
    with world.writer() as first, world.writer() as second:
        assert first.drain()
        assert not second.drain()
        (world.journals / "writer.lock").unlink()
        assert second.drain()
        assert not first.drain()  # it sees that its lock binds nobody
    with world.writer() as third:
        assert third.drain()


def test_flush_waits_for_whoever_writes(world: World) -> None:
    with world.writer(every=0.01) as first, world.writer(every=0.01) as second:
        first.start()
        while not (world.journals / "writer.lock").exists():
            time.sleep(0.001)
        second.start()
        with world.journal("w") as journal:
            for number in range(1, 6):
                journal.settled(journal.opened(call(number)), call(number), outcome())
                assert second.flush()
                assert len(world.ids()) == number


def test_flush_gives_up(world: World) -> None:
    with world.writer() as first, world.writer() as second, world.journal("w") as journal:
        assert first.drain()  # holds the lock and does nothing more
        journal.opened(call(1))
        assert not second.flush(0.05)
        assert first.flush(0.05)


def test_a_locked_database_only_takes_time(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.ledger.writer.open_for_batches", _impatient)
    with world.journal("w") as journal, world.writer() as writer:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        with world.database.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for _ in range(3):
                assert not writer.drain()
            connection.rollback()
        assert world.rows() == []
        assert writer.drain()
        assert world.ids() == ["req_1"]
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert "database is locked" in said[0]
    assert said[1] == "the ledger goes on with w"


def _impatient(url: str) -> Any:
    from plugin.storage.database import open_blocking

    return open_blocking(url, wait=0.01)


def test_a_journal_that_cannot_be_read_holds_up_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (world.journals / "a.000001.log").mkdir(parents=True)
    with world.journal("b") as journal, world.writer() as writer:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        assert not writer.drain()
        assert not writer.drain()
        assert world.ids() == ["req_1"]
        assert caplog.text.count("a stays where it is") == 1
        (world.journals / "a.000001.log").rmdir()
        assert writer.drain()


def test_a_directory_that_cannot_be_read_is_not_an_empty_one(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_path: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    with world.writer(lost_after=0.0) as writer, world.journal("w") as journal:
        journal.opened(call(1))
        writer.drain()
        with monkeypatch.context() as patch:
            patch.setattr(os, "listdir", refuse)
            assert not writer.drain()
            assert not writer.flush(0.01)
        assert "Permission denied" in caplog.text
        assert writer.drain()
        assert world.rows() == []


def test_a_dead_worker_whose_journal_is_gone(world: World) -> None:
    with world.writer(lost_after=0.0) as writer:
        with world.journal("w") as journal:
            journal.opened(call(1))
            writer.drain()
        (world.journals / "w.000001.log").unlink()
        writer.drain()
        (row,) = world.rows()
        assert (row["ended"], row["units"]) == ("unsettled", 100)
        assert (count(world, "ledger_open"), count(world, "ledger_journals")) == (0, 0)


def test_a_journal_that_is_put_back_goes_on(world: World) -> None:
    with world.journal("w") as journal:
        journal.settled(journal.opened(call(1)), call(1), outcome())
        world.drain()
        journal.opened(call(2))
        (world.journals / "w.000001.log").unlink()
        world.drain()
        journal.tend()
        journal.settled(2, call(2), outcome())
        world.drain()
        assert world.ids() == ["req_1", "req_2"]
        assert world.rows("act") == []


# Real processes, really killed.

WORKER = """if True:
    import os, random, sys, time
    from pathlib import Path
    from plugin.ledger.journal import Journal
    from plugin.ledger.writer import LedgerWriter
    from tests.ledger.world import call, outcome
    directory, url, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    dice = random.Random(first)
    journal = Journal(directory, time.time, part_size=20_000)
    writer = LedgerWriter(directory, url, time.time, every=0.005)
    writer.start()
    answered = os.open(sys.argv[4], os.O_WRONLY | os.O_APPEND)
    under_way = {}
    for number in range(first, first + 100_000):
        given = call(number)
        under_way[journal.opened(given)] = given
        if len(under_way) > 10:
            one = dice.choice([*under_way])
            given = under_way.pop(one)
            journal.settled(one, given, outcome())
            os.write(answered, f"{given.request_id}\\n".encode())
        time.sleep(0.0005)
"""


def test_a_part_that_nobody_could_see_yet_is_removed_when_it_is_old(world: World) -> None:
    world.journals.mkdir(exist_ok=True)
    old, young = (world.journals / f".{name}.000001.log" for name in ("old", "young"))
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    assert world.drain()
    assert not old.exists()
    assert young.exists()


def test_workers_killed_at_random(world: World) -> None:
    """Three workers, each killed again and again: each answered call has one row."""
    dice = random.Random(7)  # noqa: S311 - the same each time
    answered = world.directory / "answered"
    answered.touch()
    first = iter(range(1_000_000, 2**40, 1_000_000))

    def start() -> subprocess.Popen[bytes]:
        arguments = (str(world.journals), world.url, str(next(first)), str(answered))
        return subprocess.Popen([sys.executable, "-c", WORKER, *arguments])  # noqa: S603 - our own words

    running = [start() for _ in range(3)]
    try:
        for _ in range(sized(6, 20)):
            more = answered.stat().st_size + dice.randrange(1, 400)
            _wait_for(lambda more=more: answered.stat().st_size > more)  # type: ignore[misc]
            at = dice.randrange(3)
            running[at].send_signal(signal.SIGKILL)
            running[at].wait()
            running[at] = start()
    finally:
        for one in running:
            one.kill()
            one.wait()
    assert world.drain()
    told = Counter(world.ids())
    due = answered.read_text().split()
    assert len(due) > 20
    assert set(told.values()) == {1}
    ended = {row["request_id"]: row["ended"] for row in world.rows()}
    assert {ended[one] for one in due} == {"whole"}
    assert world.faults() == []
    assert (world.files(), count(world, "ledger_open")) == ([], 0)


def _wait_for(fulfilled: Callable[[], bool], within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not fulfilled():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture
def other(world: World) -> Iterator[Any]:
    """Another process that holds the lock, and works."""
    program = """if True:
        import sys, time
        from pathlib import Path
        from plugin.ledger.writer import LedgerWriter
        writer = LedgerWriter(Path(sys.argv[1]), sys.argv[2], time.time, every=0.01)
        assert writer.drain()
        print("here", flush=True)
        writer.start()
        time.sleep(600)
    """
    running = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", program, str(world.journals), world.url], stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"here\n"
    yield running
    running.kill()
    running.wait()
    running.stdout.close()


def test_when_the_writer_is_killed_another_takes_over(
    world: World, other: "subprocess.Popen[bytes]"
) -> None:
    with world.writer(every=0.01) as writer, world.journal("w") as journal:
        writer.start()
        journal.settled(journal.opened(call(1)), call(1), outcome())
        assert writer.flush()
        assert not writer.drain()  # the other one did it
        other.kill()
        other.wait()
        journal.settled(journal.opened(call(2)), call(2), outcome())
        assert writer.flush()
        assert world.ids() == ["req_1", "req_2"]
        assert writer.drain()
    assert multiprocessing.active_children() == []


def test_memory_does_not_grow_with_the_journal(world: World) -> None:
    """It is read in pieces, in transactions of 500 rows at most."""
    sizes: list[int] = []
    with world.journal("w") as journal, world.writer() as writer:
        for number in range(1, 20_001):
            journal.settled(journal.opened(call(number)), call(number), outcome())

        def batch(connection: Any) -> None:
            wanted = "SELECT count(*) FROM ledger"
            sizes.append(connection.exec_driver_sql(wanted).scalar())

        event.listen(writer._database, "commit", batch)
        assert writer.drain()
    steps = [after - before for before, after in zip([0, *sizes], sizes, strict=False)]
    assert sum(steps) == 20_000
    assert max(steps) <= 500
    assert world.faults() == []


def test_the_clock_of_the_writer_dates_its_acts(world: World) -> None:
    with world.journal("w"):
        (world.journals / "w.000001.log").write_bytes(b"rubbish\n")
        world.drain()
    (act,) = world.rows("act")
    assert act["time"] == int(NOW * 1_000_000)


def test_a_full_disk_under_the_database_only_takes_time(world: World) -> None:
    """A real refusal: the database may not grow for a while, and the journal may."""
    program = """if True:
        import os, resource, signal, sys, time
        from pathlib import Path
        from plugin.ledger.journal import Journal
        from plugin.ledger.writer import LedgerWriter
        from tests.ledger.world import call, outcome
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = Journal(Path(sys.argv[1]), time.time, part_size=10_000)
        for number in range(1, 2_001):
            journal.settled(journal.opened(call(number)), call(number), outcome())
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        writer = LedgerWriter(Path(sys.argv[1]), sys.argv[2], time.time)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        print(writer.drain(), writer.drain())
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(writer.drain())
    """
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program, str(world.journals), world.url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False", "True"]
    assert "stays where it is" in done.stderr
    assert Counter(world.ids()) == Counter(f"req_{number}" for number in range(1, 2_001))
    assert world.faults() == []

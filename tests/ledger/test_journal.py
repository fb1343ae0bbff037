import asyncio
import errno
import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from plugin.ledger.entries import Acted, Entry, Opened, Settled, read_piece
from plugin.ledger.journal import Journal, note
from plugin.ledger.journal_files import journals
from plugin.storage.locked_files import is_locked
from tests.ledger.world import NOW, call, outcome


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal"


@pytest.fixture
def journal(directory: Path) -> Iterator[Journal]:
    with Journal(directory, lambda: NOW, name="w", memory=1_000) as made:
        yield made


def entries(directory: Path, name: str = "w") -> list[Entry]:
    data = b"".join(path.read_bytes() for path in journals(directory).get(name, []))
    piece = read_piece(data, last=True, rows=10_000)
    assert piece.skipped == []
    return piece.entries


class Disk:
    """What `os.write` does: so many bytes fit, then it fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        self.free = free
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, file: int, data: bytes) -> int:
        if not self.free:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = self._write(file, data[: self.free])
        self.free -= done
        return done


def test_entries_are_on_the_disk_at_once(journal: Journal, directory: Path) -> None:
    assert journal.opened(call(1)) == 1
    assert journal.opened(call(2)) == 2
    journal.amended(1, call(1, model="large"))
    journal.settled(1, call(1), outcome())
    journal.act("key created", "key_ann", {"name": "Ann"}, by="key_root")
    *calls, act = entries(directory)
    assert calls == [
        Opened(1, call(1)),
        Opened(2, call(2)),
        Opened(1, call(1, model="large")),
        Settled(1, call(1), outcome()),
    ]
    assert isinstance(act, Acted)
    assert act.number == 3
    assert (act.act.kind, act.act.subject, act.act.by) == ("key created", "key_ann", "key_root")
    assert json.loads(act.act.detail) == {"name": "Ann"}
    assert act.act.time == int(NOW * 1_000_000)


def test_one_write_an_entry(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    write = os.write

    def counted(file: int, data: bytes) -> int:
        pieces.append(data)
        return write(file, data)

    monkeypatch.setattr(os, "write", counted)
    journal.opened(call(1))
    journal.settled(1, call(1), outcome())
    assert [piece.count(b"\n") for piece in pieces] == [1, 1]


def test_only_its_owner_reads_it(journal: Journal, directory: Path) -> None:
    journal.opened(call(1))
    (path,) = directory.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_lock_tells_that_the_worker_lives(journal: Journal, directory: Path) -> None:
    with (directory / "w.000001.log").open("rb") as file:
        assert is_locked(file.fileno())
        journal.close()
        assert not is_locked(file.fileno())


def test_a_kill_loses_nothing_that_was_written(directory: Path) -> None:
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from plugin.ledger.journal import Journal
        from tests.ledger.world import call, outcome
        journal = Journal(Path(sys.argv[1]), lambda: 0.0, name="w")
        for number in range(1, 51):
            journal.opened(call(number))
            journal.settled(number, call(number), outcome())
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", program, str(directory)], check=False)  # noqa: S603 - our own words
    assert done.returncode == -9
    assert [entry.number for entry in entries(directory) if isinstance(entry, Settled)] == [
        *range(1, 51)
    ]
    with (directory / "w.000001.log").open("rb") as file:
        assert not is_locked(file.fileno())


@pytest.mark.parametrize("free", range(0, 300, 7))
def test_what_does_not_fit_the_disk_waits(
    journal: Journal, directory: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    disk = Disk(monkeypatch, free)
    for number in range(1, 4):
        journal.opened(call(number))
    assert journal.waiting
    disk.free = 10_000
    journal.opened(call(4))
    assert journal.waiting == 0
    assert entries(directory) == [Opened(number, call(number)) for number in range(1, 5)]


def test_no_more_calls_when_too_much_waits(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where no space can be allocated."""
    monkeypatch.setattr("plugin.ledger.journal_space.allocate", lambda *_: False)
    journal = Journal(directory, lambda: NOW, name="w", memory=1_000)
    disk = Disk(monkeypatch, 50)
    number = 0
    while journal.healthy:
        number += 1
        journal.opened(call(number))
    assert 1_000 <= journal.waiting < 1_200
    # what was let through already is kept all the same
    for one in range(1, number + 1):
        journal.settled(one, call(one), outcome())
    disk.free = 100_000
    journal.tend()
    assert journal.healthy
    assert len(entries(directory)) == 2 * number
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert "No space left on device" in caplog.messages[0]
    journal.close()


def blocks(directory: Path) -> int:
    return sum(path.stat().st_blocks for path in directory.iterdir()) * 512


def test_open_calls_have_space_for_their_lines(
    journal: Journal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.healthy
    if not journal._space.is_kept:
        pytest.skip("this file system allocates nothing ahead")
    assert blocks(directory) >= 1024 * 1024
    assert entries(directory) == []

    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("plugin.ledger.journal_space.allocate", full)
        room, number = blocks(directory), 0
        while journal.healthy:
            number += 1
            journal.opened(call(number))
        for one in range(1, number + 1):
            journal.amended(one, call(one, model="m" * 250))
            journal.settled(one, call(one, model="m" * 250), outcome(detail="d" * 1_000))
        assert number > 200
        assert sum(path.stat().st_size for path in directory.iterdir()) < room
    journal.tend()
    assert journal.healthy
    assert len(entries(directory)) == 3 * number
    journal.close()
    assert blocks(directory) < room


def test_a_next_part_begins_with_space_or_not_at_all(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(directory, lambda: NOW, name="w", part_size=500) as journal:
        if not journal.healthy or not journal._space.is_kept:
            pytest.skip("this file system allocates nothing ahead")

        def full(*_: object) -> bool:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("plugin.ledger.journal_space.allocate", full)
            for number in range(1, 11):
                journal.opened(call(number))
            assert [path.name for path in directory.iterdir()] == ["w.000001.log"]
        for number in range(11, 21):
            journal.opened(call(number))
        assert len(journals(directory)["w"]) > 1
        assert journal.healthy
    assert entries(directory) == [Opened(number, call(number)) for number in range(1, 21)]


def test_nothing_is_promised_beyond_what_the_system_lets_a_file_have(directory: Path) -> None:
    program = """if True:
        import resource, sys
        from pathlib import Path
        from plugin.ledger.journal import Journal
        from tests.ledger.world import call, outcome
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        with Journal(Path(sys.argv[1]), lambda: 0.0, name="w") as journal:
            number = 0
            while journal.healthy:
                number += 1
                journal.opened(call(number))
                journal.settled(number, call(number), outcome())
            print(number, journal.waiting, journal._space.is_kept)
    """
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program, str(directory)], capture_output=True, text=True, check=True
    )
    number, waiting, kept = done.stdout.split()
    if kept == "True":
        assert waiting == "0"
    assert int(number) > 100
    assert len(entries(directory)) == 2 * int(number)


def test_no_more_calls_when_the_journal_has_no_place(journal: Journal, directory: Path) -> None:
    shutil.rmtree(directory)
    directory.write_text("in the way")
    journal.tend()
    number = 0
    while journal.healthy:
        number += 1
        journal.opened(call(number))
    journal.tend()
    assert number * 150 > 1_000
    assert not journal.healthy
    directory.unlink()
    journal.tend()
    assert journal.healthy
    assert entries(directory) == [Opened(one, call(one)) for one in range(1, number + 1)]


def test_files_as_large_as_the_system_lets_them(directory: Path) -> None:
    """A real refusal: RLIMIT_FSIZE makes a write short and the next one fail."""
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from plugin.ledger.journal import Journal
        from tests.ledger.world import call, outcome
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
        with Journal(Path(sys.argv[1]), lambda: 0.0, name="w") as journal:
            for number in range(1, 51):
                journal.opened(call(number))
            print(journal.waiting)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    """
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program, str(directory)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 4_000
    assert "File too large" in done.stderr
    assert entries(directory) == [Opened(number, call(number)) for number in range(1, 51)]


@pytest.mark.parametrize("take_away", ["file", "directory", "moved"])
def test_a_journal_that_was_taken_away_is_put_back(
    journal: Journal, directory: Path, take_away: str
) -> None:
    journal.opened(call(1))
    match take_away:
        case "file":
            (directory / "w.000001.log").unlink()
        case "directory":
            shutil.rmtree(directory)
        case "moved":
            directory.rename(directory.with_name("away"))
    journal.opened(call(2))
    journal.tend()
    journal.opened(call(3))
    assert entries(directory) == [Opened(number, call(number)) for number in range(1, 4)]
    with (directory / "w.000001.log").open("rb") as file:
        assert is_locked(file.fileno())
    assert len([*directory.iterdir()]) == 1


def test_a_directory_that_cannot_be_made_at_first(directory: Path) -> None:
    directory.parent.mkdir()
    directory.write_text("in the way")
    with Journal(directory, lambda: NOW, name="w") as journal:
        journal.opened(call(1))
        assert journal.waiting
        directory.unlink()
        journal.tend()
        journal.opened(call(2))
        assert entries(directory) == [Opened(1, call(1)), Opened(2, call(2))]


def test_it_goes_on_in_the_next_part(directory: Path) -> None:
    with Journal(directory, lambda: NOW, name="w", part_size=500) as journal:
        for number in range(1, 21):
            journal.opened(call(number))
        parts = journals(directory)["w"]
        assert len(parts) == 4
        assert all(path.stat().st_size < 700 for path in parts)
        assert [path.name for path in parts][-1] == "w.000004.log"
        for path in parts:
            with path.open("rb") as file:
                assert is_locked(file.fileno()) == (path == parts[-1])
    assert entries(directory) == [Opened(number, call(number)) for number in range(1, 21)]


def test_a_next_part_that_cannot_be_made(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(directory, lambda: NOW, name="w", part_size=500) as journal:
        flock = fcntl.flock

        def refuse(_file: int, _how: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        for number in range(1, 11):
            journal.opened(call(number))
        assert [path.name for path in directory.iterdir()] == ["w.000001.log"]
        monkeypatch.setattr(fcntl, "flock", flock)
        for number in range(11, 21):
            journal.opened(call(number))
        assert len(journals(directory)["w"]) > 1
    assert entries(directory) == [Opened(number, call(number)) for number in range(1, 21)]


async def test_keep_tends_it(
    journal: Journal, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, 0)
    journal.opened(call(1))
    disk.free = 10_000
    keeping = asyncio.create_task(journal.keep(0.005))
    for _ in range(400):
        if not journal.waiting:
            break
        await asyncio.sleep(0.005)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    assert entries(directory) == [Opened(1, call(1))]


def test_names_are_never_used_twice(directory: Path) -> None:
    with Journal(directory, lambda: NOW) as first, Journal(directory, lambda: NOW) as second:
        assert first.name != second.name
        assert set(journals(directory)) == {first.name, second.name}
        with Journal(directory, lambda: NOW + 0.01) as later:
            assert [*journals(directory)][-1] == later.name


def test_a_command_notes_acts(directory: Path) -> None:
    note(directory, lambda: NOW, [("limit set", "key_ann", {"cap": 5}), ("limit unset", "all", {})])
    (name,) = journals(directory)
    kinds = [entry.act.kind for entry in entries(directory, name) if isinstance(entry, Acted)]
    assert kinds == ["limit set", "limit unset"]


def test_a_command_says_that_it_cannot(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Disk(monkeypatch, 0)
    with pytest.raises(OSError, match="cannot be written"):
        note(directory, lambda: NOW, [("limit set", "all", {})])

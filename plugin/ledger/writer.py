"""Brings what the workers' journals hold into the ledger: one writer, a few times a second.

The parent of the workers has a `LedgerWriter`; a worker without such a parent has its own. The one
that holds the lock works, and when it dies another one takes over at its next look. A journal of a
dead worker that is wholly read is deleted, and what was open in it becomes a row that says so.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from sqlalchemy import delete, select

from plugin.ledger.batch import Batch, ReadByAnother, bury, put
from plugin.ledger.entries import LONGEST_LINE, Skipped, read_piece, skip
from plugin.ledger.journal_files import journals, remove_unfinished
from plugin.ledger.progress import reached, sizes
from plugin.ledger.tables import ledger_journals, ledger_open
from plugin.ledger.writer_lock import WriterLock
from plugin.storage.database import FAILURES, open_for_batches
from plugin.storage.locked_files import is_locked

log = logging.getLogger(__name__)

_FAILURES: tuple[type[Exception], ...] = (OSError, *FAILURES)
_ROWS = 500
_READ = 2 * LONGEST_LINE


class LedgerWriter:
    """One process's candidate for writing the ledger of the database `url`; close it at the end.

    `clock` gives seconds since 1970, `every` is the pause between two looks, in seconds. Whatever
    fails (a locked database, a full disk, a file that cannot be read) is tried again, and said
    once. A worker whose journal is gone counts as dead after `lost_after` seconds: while it
    lives, it puts the file back.
    """

    def __init__(
        self,
        directory: Path,
        url: str,
        clock: Callable[[], float],
        *,
        every: float = 0.2,
        lost_after: float = 60.0,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._every = every
        self._lost_after = lost_after
        self._database = open_for_batches(url)
        self._lock = WriterLock(directory / "writer.lock")
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._positions: dict[str, int] = {}
        self._faults: dict[str, str] = {}
        self._missed: dict[str, float] = {}
        self._next_search = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def drain(self) -> bool:
        """One look at all journals; whether all that they hold is in the ledger now.

        False as well when another writer is at work.
        """
        with self._turn:
            if not self._lock.acquire():
                self._positions.clear()
                return False
            return self._look()

    def flush(self, within: float = 5.0) -> bool:
        """Wait, `within` so many seconds, until all that is in the journals now is in the ledger.

        Whoever writes it. Not for the event loop.
        """
        try:
            wanted = sizes(self._directory)
        except OSError:
            return False
        until = time.monotonic() + within
        while True:
            if self._thread is None:
                self.drain()
            self._wake.set()
            if reached(self._database, wanted):
                return True
            if time.monotonic() > until:
                return False
            time.sleep(0.01)

    def close(self) -> None:
        """Drain once more if it is on us, and let another one be the writer."""
        self._stop = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.drain()
        self._lock.release()
        self._database.dispose()

    def _run(self) -> None:
        try:
            while not self._stop:
                self.drain()
                self._wake.wait(self._every)
                self._wake.clear()
        finally:
            self._lock.release()

    def _look(self) -> bool:
        found: dict[str, list[Path]] = {}
        if not self._attempt("", lambda: found.update(journals(self._directory))):
            return False
        done = [
            self._attempt(worker, partial(self._drain_worker, worker, parts))
            for worker, parts in found.items()
        ]
        done.append(self._attempt("", partial(self._bury_the_missing, found)))
        return all(done)

    def _attempt(self, name: str, do: Callable[[], None]) -> bool:
        """What fails with one worker does not keep the others waiting."""
        try:
            do()
        except ReadByAnother:
            self._positions.clear()
            return False
        except _FAILURES as error:
            self._positions.clear()
            self._say(name, f"{type(error).__name__}: {error}")
            return False
        if self._faults.pop(name, None) is not None:
            log.warning("the ledger goes on with %s", name or "its database")
        return True

    def _say(self, name: str, fault: str) -> None:
        if self._faults.get(name) != fault:
            log.warning("the ledger waits, %s stays where it is: %s", name or "all", fault)
            self._faults[name] = fault

    def _drain_worker(self, worker: str, parts: Sequence[Path]) -> None:
        *older, newest = parts
        for path in older:
            self._drain_part(worker, path, older=True)
            self._remove(path)
        if self._drain_part(worker, newest):
            self._bury(worker)
            self._remove(newest)
            self._forget(worker)

    def _drain_part(self, worker: str, path: Path, *, older: bool = False) -> bool:
        """Read a part to its end; gives whether nothing more can come of this worker."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            over = older or self._is_dead(worker, path, file)
            self._read(worker, path.name, file, last=over)
        finally:
            os.close(file)
        return over

    def _is_dead(self, worker: str, path: Path, file: int) -> bool:
        if is_locked(file):
            return False
        # It may have gone on in another part, or put this one back, before it let go.
        newest = journals(self._directory).get(worker, [Path()])[-1]
        return newest == path and os.path.samestat(os.fstat(file), path.stat())

    def _read(self, worker: str, name: str, file: int, *, last: bool) -> None:
        size = os.fstat(file).st_size
        begin = self._position(name)
        if size < begin:  # cut by somebody: what is there is read again, and known again
            cut = [Skipped(size, begin - size)]
            self._commit(Batch(worker, name, begin, 0, (), cut))
            begin = 0
        position, skipped = begin, list[Skipped]()
        while position < size:
            data = os.pread(file, min(_READ, size - position), position)
            ends = position + len(data) >= size
            piece = read_piece(data, last=last and ends, rows=_ROWS)
            for offset, length in piece.skipped:
                skip(skipped, position + offset, length)
            position += piece.end
            if piece.entries or (skipped and (ends or not piece.end)):
                self._commit(Batch(worker, name, begin, position, piece.entries, skipped))
                begin, skipped = position, []
            if not piece.end:
                break

    def _position(self, name: str) -> int:
        if name not in self._positions:
            wanted = select(ledger_journals.c.position).where(ledger_journals.c.name == name)
            with self._database.connect() as connection:
                self._positions[name] = connection.execute(wanted).scalar() or 0
        return self._positions[name]

    def _commit(self, batch: Batch) -> None:
        with self._database.begin() as connection:
            put(connection, batch, self._now())
        self._positions[batch.journal] = batch.end

    def _bury(self, worker: str) -> None:
        buried = 1
        while buried:
            with self._database.begin() as connection:
                buried = bury(connection, worker, self._now(), _ROWS)

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._positions.pop(path.name, None)

    def _forget(self, worker: str) -> None:
        """Its journal is gone, all that it held is in rows."""
        names = ledger_journals.c.name.startswith(f"{worker}.", autoescape=True)
        with self._database.begin() as connection:
            connection.execute(delete(ledger_journals).where(names))

    def _bury_the_missing(self, present: Collection[str]) -> None:
        """End what is open of workers whose journals somebody took away."""
        now = time.monotonic()
        if now < self._next_search:
            return
        self._next_search = now + min(5.0, self._lost_after)
        remove_unfinished(self._directory)
        with self._database.connect() as connection:
            names = connection.execute(select(ledger_journals.c.name)).scalars()
            workers = {name.rsplit(".", 2)[0] for name in names}
            workers.update(connection.execute(select(ledger_open.c.worker).distinct()).scalars())
        missing = workers.difference(present)
        self._missed = {name: self._missed.get(name, now) for name in missing}
        for name, since in self._missed.items():
            if now - since >= self._lost_after:
                self._bury(name)
                self._forget(name)

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)

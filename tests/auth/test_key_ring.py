import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from plugin.auth.key_ring import KeyRing, LastUse
from plugin.auth.keys import KeyRecord, KeyStore, make_key
from plugin.errors import NotAuthenticated
from plugin.storage.database import ChangeWatch, open_database


class Clock:
    now: float


def test_a_key_opens_the_gate_for_its_caller(store: KeyStore, ring: KeyRing) -> None:
    made = store.create("Ann", ["todos:read"])
    caller = ring.caller(made.key.encode())
    assert (caller.id, caller.name, caller.scopes) == (made.id, "Ann", frozenset({"todos:read"}))


def test_the_reasons_for_a_refusal(store: KeyStore, ring: KeyRing, clock: Clock) -> None:
    made = store.create("Ann", ["*"], lifetime=60)
    with pytest.raises(NotAuthenticated, match="mistyped"):
        ring.caller(made.key.encode()[:-1] + b"#")
    with pytest.raises(NotAuthenticated, match="No such API key"):
        ring.caller(make_key().encode())
    ring.caller(made.key.encode())
    clock.now += 60
    with pytest.raises(NotAuthenticated, match="expired"):
        ring.caller(made.key.encode())
    store.revoke(made.id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        ring.caller(made.key.encode())


def test_a_change_counts_from_the_next_request_on(store: KeyStore, ring: KeyRing) -> None:
    first = store.create("Ann", ["*"])
    ring.caller(first.key.encode())
    second = store.rotate(first.id)
    assert ring.caller(second.key.encode()).id == first.id
    with pytest.raises(NotAuthenticated):
        ring.caller(first.key.encode())
    store.revoke(first.id)
    with pytest.raises(NotAuthenticated):
        ring.caller(second.key.encode())


def test_a_row_deleted_by_hand_is_gone(store: KeyStore, ring: KeyRing, tmp_path: Path) -> None:
    made = store.create("Ann", ["*"])
    ring.caller(made.key.encode())
    with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
        database.execute("DELETE FROM api_keys")
        database.commit()
    with pytest.raises(NotAuthenticated):
        ring.caller(made.key.encode())


def test_keys_are_read_once_and_not_for_others_writes(
    url: str, store: KeyStore, clock: Clock, tmp_path: Path
) -> None:
    reads = 0

    def counted() -> Sequence[KeyRecord]:
        nonlocal reads
        reads += 1
        return store.list()

    made = store.create("Ann", ["*"])
    watch = ChangeWatch(url, "api_key_changes")
    ring = KeyRing(counted, watch, lambda: clock.now)
    for number in range(5):
        ring.caller(made.key.encode())
        with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
            database.execute("INSERT INTO todos (caller_id, text, created_at) VALUES ('a', 'b', 1)")
            database.execute("UPDATE api_keys SET last_used_at = ?", (number,))
            database.commit()
    watch.close()
    assert reads == 1


@pytest.fixture
def failing(store: KeyStore, url: str, clock: Clock) -> "Iterator[Failing]":
    watch = ChangeWatch(url, "api_key_changes")
    yield Failing(store, watch, clock)
    watch.close()


class Failing:
    """A ring whose database can be made to fail."""

    def __init__(self, store: KeyStore, watch: ChangeWatch, clock: Clock) -> None:
        self.store = store
        self.broken = False
        self.ring = KeyRing(self.read, watch, lambda: clock.now)

    def read(self) -> Sequence[KeyRecord]:
        if self.broken:
            raise OperationalError("SELECT", {}, Exception("database disk image is malformed"))
        return self.store.list()


def test_before_anything_could_be_read_nobody_is_let_in(failing: Failing) -> None:
    made = failing.store.create("Ann", ["*"])
    failing.broken = True
    with pytest.raises(NotAuthenticated):
        failing.ring.caller(made.key.encode())
    failing.broken = False
    failing.ring.caller(made.key.encode())


def test_while_the_database_fails_the_last_keys_stand(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    known = failing.store.create("Ann", ["*"])
    failing.ring.caller(known.key.encode())
    later = failing.store.create("Bob", ["*"])
    failing.broken = True
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert failing.ring.caller(known.key.encode()).name == "Ann"
    with pytest.raises(NotAuthenticated):
        failing.ring.caller(later.key.encode())
    assert len(caplog.records) == 1
    failing.broken = False
    assert failing.ring.caller(later.key.encode()).name == "Bob"


def _last_uses(engine: Engine) -> list[int | None]:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT last_used_at FROM api_keys ORDER BY serial")
        return [value for (value,) in found]


async def test_uses_are_written_together(
    url: str, engine: Engine, store: KeyStore, ring: KeyRing, clock: Clock
) -> None:
    keys = [store.create(str(number), ["*"]).key for number in range(3)]
    database = open_database(url)
    last_use = LastUse(ring, database, lambda: clock.now)
    for key in (keys[0], keys[2], keys[2]):
        ring.caller(key.encode())
    await last_use.flush()
    assert _last_uses(engine) == [1_000_000, None, 1_000_000]
    assert ring.used == set()
    await database.dispose()


async def test_what_is_left_is_written_at_the_end(
    url: str, engine: Engine, store: KeyStore, ring: KeyRing, clock: Clock
) -> None:
    key = store.create("Ann", ["*"]).key
    database = open_database(url)
    last_use = LastUse(ring, database, lambda: clock.now, every=3600)
    last_use.start()
    ring.caller(key.encode())
    await last_use.close()
    assert _last_uses(engine) == [1_000_000]
    await database.dispose()


async def test_a_failed_write_is_tried_again(
    url: str, engine: Engine, store: KeyStore, ring: KeyRing, clock: Clock
) -> None:
    key = store.create("Ann", ["*"]).key
    ring.caller(key.encode())
    elsewhere = open_database(f"{url}-that-has-no-tables")
    await LastUse(ring, elsewhere, lambda: clock.now).flush()
    await elsewhere.dispose()
    assert len(ring.used) == 1
    database = open_database(url)
    await LastUse(ring, database, lambda: clock.now).flush()
    await database.dispose()
    assert _last_uses(engine) == [1_000_000]

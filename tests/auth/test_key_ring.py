import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from plugin.auth import key_ring
from plugin.auth import keys as keys_room
from plugin.auth.key_ring import KeyRing, LastUse
from plugin.auth.keys import CHANGES, KeyStore, Secret, find_secret, make_key
from plugin.errors import NotAuthenticated
from plugin.storage.database import ChangeWatch, Commits, open_database


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


class Counted:
    """Looks secrets up, counts how often, and can be made to fail."""

    def __init__(self, commits: Commits) -> None:
        self.commits = commits
        self.looked_up = 0
        self.broken = False

    def __call__(self, digest: bytes) -> Secret | None:
        self.looked_up += 1
        if self.broken:
            raise sqlite3.DatabaseError("database disk image is malformed")
        return find_secret(self.commits, digest)


@pytest.fixture
def find(commits: Commits) -> Counted:
    return Counted(commits)


@pytest.fixture
def counted(find: Counted, clock: Clock) -> KeyRing:
    """A ring whose look-ups are counted, and can be made to fail."""
    return KeyRing(find, ChangeWatch(find.commits, CHANGES), lambda: clock.now)


def test_a_key_is_looked_up_once_and_not_anew_for_others_writes(
    store: KeyStore, counted: KeyRing, find: Counted, tmp_path: Path
) -> None:
    made = store.create("Ann", ["*"])
    for number in range(5):
        counted.caller(made.key.encode())
        with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
            database.execute("INSERT INTO todos (caller_id, text, created_at) VALUES ('a', 'b', 1)")
            database.execute("UPDATE api_keys SET last_used_at = ?", (number,))
            database.commit()
    assert find.looked_up == 1


def test_after_a_change_only_the_keys_in_use_are_looked_up(
    store: KeyStore, counted: KeyRing, find: Counted
) -> None:
    keys = [store.create(str(number), ["*"]).key.encode() for number in range(10)]
    for key in keys:
        counted.caller(key)
    assert find.looked_up == 10
    store.create("another", ["*"])
    for _ in range(3):
        assert counted.caller(keys[0]).name == "0"
    assert find.looked_up == 11


def test_what_was_changed_by_hand_counts_from_the_next_request_on(
    store: KeyStore, ring: KeyRing, clock: Clock, tmp_path: Path
) -> None:
    made = store.create("Ann", ["*"])
    key = made.key.encode()
    ring.caller(key)
    with closing(sqlite3.connect(tmp_path / "plugin.db", isolation_level=None)) as database:
        for change, told in (
            ("name = 'Eve', scopes = 'todos:read'", ("Eve", frozenset({"todos:read"}))),
            ("scopes = ''", ("Eve", frozenset())),
        ):
            database.execute(f"UPDATE api_keys SET {change}")  # noqa: S608 - written above
            assert (ring.caller(key).name, ring.caller(key).scopes) == told
        for column, state in (("revoked_at", "revoked"), ("expires_at", "expired")):
            database.execute(f"UPDATE api_keys SET {column} = ?", (clock.now,))  # noqa: S608 - the same
            with pytest.raises(NotAuthenticated, match=state):
                ring.caller(key)
            database.execute(f"UPDATE api_keys SET {column} = NULL")  # noqa: S608 - the same
            assert ring.caller(key).id == made.id


def test_a_mistyped_key_is_not_looked_up(counted: KeyRing, find: Counted) -> None:
    with pytest.raises(NotAuthenticated, match="mistyped"):
        counted.caller(make_key().encode()[:-1] + b"#")
    assert find.looked_up == 0


def test_one_more_key_than_can_be_held_costs_a_look_up(
    store: KeyStore, counted: KeyRing, find: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "_MOST", 3)
    keys = [store.create(str(number), ["*"]).key.encode() for number in range(4)]
    for name, key in enumerate(keys):
        assert counted.caller(key).name == str(name)
    for name in (0, 1, 3, 2):
        assert counted.caller(keys[name]).name == str(name)
    assert find.looked_up == 5
    store.create("another", ["*"])
    for name in (0, 1, 2):
        assert counted.caller(keys[name]).name == str(name)
    assert find.looked_up == 8


def test_the_key_in_use_is_found_by_the_index(store: KeyStore, commits: Commits) -> None:
    store.create("Ann", ["*"])
    plan = commits.ask(f"EXPLAIN QUERY PLAN {keys_room._ONE}", b"")
    assert plan is not None
    assert plan[-1].startswith("SEARCH api_keys USING INDEX")


def test_before_a_key_could_be_looked_up_it_is_not_let_in(
    store: KeyStore, counted: KeyRing, find: Counted
) -> None:
    made = store.create("Ann", ["*"])
    find.broken = True
    with pytest.raises(NotAuthenticated, match="cannot be checked"):
        counted.caller(made.key.encode())
    find.broken = False
    counted.caller(made.key.encode())


def test_while_the_database_fails_the_keys_found_before_stand(
    store: KeyStore, counted: KeyRing, find: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    known = store.create("Ann", ["*"])
    counted.caller(known.key.encode())
    later = store.create("Bob", ["*"])
    find.broken = True
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert counted.caller(known.key.encode()).name == "Ann"
        with pytest.raises(NotAuthenticated, match="cannot be checked"):
            counted.caller(later.key.encode())
    assert len(caplog.records) == 1
    find.broken = False
    assert counted.caller(later.key.encode()).name == "Bob"
    store.revoke(known.id)
    with pytest.raises(NotAuthenticated, match="revoked"):
        counted.caller(known.key.encode())


def test_a_database_that_is_no_longer_told_of_changes_nothing(
    store: KeyStore, ring: KeyRing, commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    known, other = (store.create(name, ["*"]).key.encode() for name in ("Ann", "Bob"))
    ring.caller(known)
    commits.close()
    for _ in range(3):
        assert ring.caller(known).name == "Ann"
    assert len(caplog.records) == 1
    with pytest.raises(NotAuthenticated, match="cannot be checked"):
        ring.caller(other)


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

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plugin.auth.keys import KeyStore, hash_key, make_key, well_formed
from plugin.errors import NotFound


def test_a_key_is_recognisable_and_checks_itself() -> None:
    key = make_key()
    assert key.startswith("gpk_")
    assert len(key) == 40
    assert well_formed(key.encode())
    assert make_key() != key


def test_a_typo_is_seen_without_a_lookup() -> None:
    dice = random.Random(1)  # noqa: S311 - repeatable on purpose
    letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for _ in range(2_000):
        key = bytearray(make_key().encode())
        place = dice.randrange(4, len(key))
        key[place] = dice.choice([letter for letter in letters if letter != key[place]])
        assert not well_formed(bytes(key))


@pytest.mark.parametrize("key", [b"", b"gpk_", b"gpk_" + b"0" * 36 + b"\n", b"\xff" * 40])
def test_other_shapes_are_no_keys(key: bytes) -> None:
    assert not well_formed(key)


def test_only_the_hash_is_stored(store: KeyStore, tmp_path: Path) -> None:
    made = store.create("Ann", ["todos:read"])
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert hash_key(made.key.encode()) in kept
    assert made.key.encode() not in kept
    assert made.key[8:].encode() not in kept


def test_a_key_is_listed_with_all_but_itself(store: KeyStore) -> None:
    made = store.create("Ann", ["todos:read", "todos:write"], lifetime=60)
    (record,) = store.list()
    assert (record.id, record.name, record.scopes) == (made.id, "Ann", made.scopes)
    assert made.key.startswith(record.hint)
    assert record.created_at == 1_000_000
    assert record.expires_at == made.expires_at == 1_000_060
    assert record.state(1_000_059.9) == "active"
    assert record.state(1_000_060) == "expired"


def test_revoking_ends_every_secret_of_the_caller(store: KeyStore) -> None:
    made = store.create("Ann", ["*"])
    store.rotate(made.id, overlap=600)
    other = store.create("Bob", ["*"])
    store.revoke(made.id)
    states = {record.name: record.state(1_000_000) for record in store.list()}
    assert states == {"Ann": "revoked", "Bob": "active"}
    assert [record.id for record in store.list()] == [made.id, made.id, other.id]


def test_rotating_keeps_the_caller_and_ends_the_old_secret(store: KeyStore) -> None:
    first = store.create("Ann", ["todos:read"], lifetime=10_000)
    second = store.rotate(first.id)
    assert second.key != first.key
    assert (second.id, second.name, second.scopes) == (first.id, "Ann", first.scopes)
    assert second.expires_at == first.expires_at
    assert [record.state(1_000_000) for record in store.list()] == ["expired", "active"]


def test_the_old_secret_may_live_on_for_a_while(store: KeyStore) -> None:
    first = store.create("Ann", ["*"], lifetime=100)
    store.rotate(first.id, overlap=600)
    old, new = store.list()
    assert old.expires_at == 1_000_100
    assert new.expires_at == 1_000_100
    endless = store.create("Bob", ["*"])
    store.rotate(endless.id, overlap=600)
    assert [record.expires_at for record in store.list()][2:] == [1_000_600, None]


def test_an_unknown_or_ended_id_is_said(store: KeyStore) -> None:
    with pytest.raises(NotFound, match="no key has the id key_none"):
        store.revoke("key_none")
    with pytest.raises(NotFound, match="no key has the id key_none"):
        store.rotate("key_none")
    made = store.create("Ann", ["*"])
    store.revoke(made.id)
    with pytest.raises(NotFound, match="revoked or expired"):
        store.rotate(made.id)


def test_every_change_moves_the_counter_and_a_last_use_does_not(
    store: KeyStore, tmp_path: Path
) -> None:
    def counter() -> int:
        with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
            value: int = database.execute("SELECT value FROM api_key_changes").fetchone()[0]
            return value

    seen = [counter()]
    made = store.create("Ann", ["*"])
    seen.append(counter())
    store.rotate(made.id)
    seen.append(counter())
    store.revoke(made.id)
    seen.append(counter())
    for statement in ("UPDATE api_keys SET scopes = ''", "DELETE FROM api_keys WHERE serial = 1"):
        with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
            database.execute(statement)
            database.commit()
        seen.append(counter())
    assert seen == sorted(set(seen))
    with closing(sqlite3.connect(tmp_path / "plugin.db")) as database:
        database.execute("UPDATE api_keys SET last_used_at = 1")
        database.commit()
    assert counter() == seen[-1]

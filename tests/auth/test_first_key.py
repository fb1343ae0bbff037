from pathlib import Path

import pytest

from plugin.auth import first_key
from plugin.auth.key_ring import KeyRing
from plugin.auth.keys import KeyStore
from plugin.errors import CannotRun


def test_a_new_service_gets_a_key_for_its_owner_alone(
    store: KeyStore, ring: KeyRing, tmp_path: Path
) -> None:
    key = first_key.ensure(store, tmp_path)
    assert key is not None
    file = tmp_path / first_key.FILE
    assert file.read_text() == f"{key}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert ring.caller(key.encode()).may("anything")


def test_there_is_only_one_first_key(store: KeyStore, tmp_path: Path) -> None:
    key = first_key.ensure(store, tmp_path)
    assert first_key.ensure(store, tmp_path) is None
    assert (tmp_path / first_key.FILE).read_text() == f"{key}\n"
    assert len(store.list()) == 1


def test_an_old_file_is_replaced_and_closed_to_others(store: KeyStore, tmp_path: Path) -> None:
    file = tmp_path / first_key.FILE
    file.write_text("gpk_of_a_database_that_is_gone, and longer than a key is" * 2)
    file.chmod(0o644)
    key = first_key.ensure(store, tmp_path)
    assert file.read_text() == f"{key}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_key_is_made_that_could_not_be_kept(store: KeyStore, tmp_path: Path) -> None:
    (tmp_path / first_key.FILE).mkdir()
    with pytest.raises(CannotRun, match="PLUGIN_DATA_DIR"):
        first_key.ensure(store, tmp_path)
    assert store.list() == []

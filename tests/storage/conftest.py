from pathlib import Path

import pytest

from plugin.storage import migrate
from tests.migrated import migrate_for_real


@pytest.fixture(autouse=True)
def migrates_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "_run_patiently", migrate_for_real)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'plugin.db'}"

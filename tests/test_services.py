from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin import services
from plugin.auth.key_ring import LastUse
from plugin.outbound.client import GuardedClient
from plugin.services import open_services
from plugin.settings import Settings
from plugin.storage.database import Commits


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path)


def _record_closing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    closed: list[str] = []

    def watch(owner: Any, method: str, name: str) -> None:
        original = getattr(owner, method)

        def noting(self: Any, *arguments: Any, **named: Any) -> Any:
            closed.append(name)
            return original(self, *arguments, **named)

        monkeypatch.setattr(owner, method, noting)

    watch(AsyncEngine, "dispose", "database")
    watch(Commits, "close", "commits")
    watch(LastUse, "close", "last use")
    watch(GuardedClient, "close", "http")
    return closed


async def test_everything_is_closed_in_reverse(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = _record_closing(monkeypatch)
    async with open_services(settings) as opened:
        assert await opened.ready()
        assert closed == []
    assert closed[-3:] == ["last use", "commits", "database"]
    assert set(closed[:-3]) == {"http"}


async def test_what_was_opened_is_closed_when_a_later_part_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = _record_closing(monkeypatch)

    def fail(**_named: Any) -> None:
        raise OSError("no more sockets")

    monkeypatch.setattr(services, "GuardedClient", fail)
    with pytest.raises(OSError, match="no more sockets"):
        async with open_services(settings):
            pass
    assert closed == ["last use", "commits", "database"]


async def test_a_database_that_does_not_answer_is_not_ready(settings: Settings) -> None:
    async with open_services(settings) as opened:
        (settings.data_dir / "plugin.db").unlink()
        (settings.data_dir / "plugin.db").mkdir()
        await opened.database.dispose()
        assert not await opened.ready()

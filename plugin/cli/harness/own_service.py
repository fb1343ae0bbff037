"""Our own service under test: on a throw-away database, in this process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from plugin.transports.service_under_test import (
    UnderTest,
    Where,
    open_application,
    open_service,
)

if TYPE_CHECKING:
    from plugin.auth.keys import KeyStore

_OF_THE_GATE = frozenset(
    {
        "api_keys",
        "api_key_changes",
        "alembic_version",
        "document_vectors",
        "document_vector_changes",
        "document_filling",
        "ledger",
        "ledger_head",
        "ledger_balances",
        "ledger_open",
        "ledger_journals",
        "idempotency_keys",
        "limits",
        "limit_changes",
    }
)
"""Tables that every call may touch, whatever its operation does, or that follow in their time."""


def open_target(where: Where) -> AbstractAsyncContextManager[UnderTest]:
    """Open the service that `where` names, or ours with a key for every scope."""
    if where.url or where.app:
        return open_service(where)
    return open_ours(where.seconds, _one_key)


@asynccontextmanager
async def open_ours(
    seconds: float, make_keys: "Callable[[KeyStore], str | None]", **changes: Any
) -> AsyncIterator[UnderTest]:
    """Ours on a throw-away database, with the keys that are made in it.

    The key that `make_keys` returns goes with each call. `changes` are settings.
    """
    import time

    from plugin.app import create_app
    from plugin.auth.keys import KeyStore
    from plugin.settings import load
    from plugin.storage.contents import ContentsOf
    from plugin.storage.database import open_blocking
    from plugin.storage.migrate import upgrade

    with TemporaryDirectory(prefix="plugin-replay-") as directory:
        settings = load().model_copy(
            update={
                "data_dir": Path(directory),
                "database_url": None,
                "log_level": "error",
                **changes,
            }
        )
        upgrade(settings.database)
        engine = open_blocking(settings.database)
        try:
            key = make_keys(KeyStore(engine, time.time))
        finally:
            engine.dispose()
        application = create_app(settings)
        opened = open_application(application, "this service", key, seconds)
        with ContentsOf(settings.database, _OF_THE_GATE) as state:
            async with opened as service:
                yield replace(service, state=state)


def _one_key(store: "KeyStore") -> str | None:
    return store.create("replay", ("*",)).key

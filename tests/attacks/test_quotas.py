"""Attack: callers store as much as they can, all at once. Their quotas hold to the byte."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.errors import QuotaUsedUp
from plugin.gpt.files import Files, NewFile
from plugin.idempotency.keys import Claim, Idempotency
from plugin.idempotency.store import Answer, Name
from plugin.operations.documents import store
from plugin.settings import Settings
from plugin.storage.database import open_blocking, open_database
from plugin.storage.use import PER_DOCUMENT, PER_FILE, quotas
from tests.idempotency.world import world
from tests.migrated import place_database
from tests.pools.threads import some_threads
from tests.sizes import sized

AT_ONCE = sized(60, 1_000)
WORKERS = 2
SIZE = 1_000
FIT = 25


def total(directory: Path, question: str) -> int:
    engine = open_blocking(f"sqlite:///{directory / 'plugin.db'}")
    try:
        with engine.connect() as connection:
            return int(connection.execute(text(question)).scalar_one() or 0)
    finally:
        engine.dispose()


async def outcomes(calls: list[Awaitable[Any]]) -> tuple[int, int]:
    """How many were done, and how many refused by the quota; anything else fails."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in found if isinstance(one, QuotaUsedUp)]
    others = [one for one in found if isinstance(one, BaseException) and one not in refused]
    assert others == []
    return len(found) - len(refused), len(refused)


async def test_files_stay_within_the_quota_when_uploads_come_at_once(tmp_path: Path) -> None:
    place_database(tmp_path / "plugin.db")
    quota = quotas(files=FIT * (SIZE + PER_FILE) + 10).files
    async with AsyncExitStack() as stack:
        workers = []
        for _ in range(WORKERS):
            database = open_database(f"sqlite:///{tmp_path / 'plugin.db'}")
            stack.push_async_callback(database.dispose)
            files = tmp_path / "files"
            threads = some_threads()
            workers.append(Files(files, 10 * SIZE, database, threads, time.time, quota))
        few = asyncio.Semaphore(8)

        async def upload(worker: Files) -> None:
            async with few, worker.incoming() as incoming:
                incoming.write(bytes(SIZE))
                await worker.add("mallory", NewFile("a", "user_data"), incoming)

        done = await outcomes([upload(workers[n % WORKERS]) for n in range(AT_ONCE)])
        assert done == (FIT, AT_ONCE - FIT)
        assert len(list((tmp_path / "files").iterdir())) == FIT
        assert total(tmp_path, "SELECT sum(bytes) FROM storage_use") == quota.limit - 10
        # another caller has a quota of its own, and what is deleted makes room
        async with workers[0].incoming() as incoming:
            incoming.write(bytes(SIZE))
            kept = await workers[0].add("ann", NewFile("a", "user_data"), incoming)
        await workers[1].delete("ann", kept.id)
        ann = "SELECT bytes FROM storage_use WHERE caller_id = 'ann' AND kind = 'files'"
        assert total(tmp_path, ann) == 0


async def test_documents_stay_within_the_quota(tmp_path: Path) -> None:
    place_database(tmp_path / "plugin.db")
    quota = quotas(documents=FIT * (SIZE + PER_DOCUMENT) + 10).documents
    async with AsyncExitStack() as stack:
        databases = [open_database(f"sqlite:///{tmp_path / 'plugin.db'}") for _ in range(WORKERS)]
        for database in databases:
            stack.push_async_callback(database.dispose)
        few = asyncio.Semaphore(8)

        async def upsert(number: int, length: int = SIZE) -> None:
            new = store.NewDocument(f"d{number:04}", "x" * length, {})
            prepared = store.prepare("mallory", [new], datetime.now(UTC))
            async with few:
                await store.replace(databases[number % WORKERS], prepared, None, quota)

        done = await outcomes([upsert(number) for number in range(AT_ONCE)])
        assert done == (FIT, AT_ONCE - FIT)
        assert total(tmp_path, "SELECT sum(bytes) FROM documents") == quota.limit - 10
        await store.remove(databases[0], "mallory", "d0000")
        assert total(tmp_path, "SELECT sum(bytes) FROM storage_use") == total(
            tmp_path, "SELECT sum(bytes) FROM documents"
        )


async def test_kept_answers_stay_within_the_quota_and_no_call_is_carried_out_twice(
    tmp_path: Path,
) -> None:
    quota = quotas(answers=200_000).answers
    answer = Answer(200, (), bytes(10_000))
    async with world(tmp_path) as here:
        holders = tmp_path / "holders"
        workers = [
            Idempotency(
                here.engine(wait=10.0), some_threads(), holders, here.clock, wait=60.0, quota=quota
            )
            for _ in range(WORKERS)
        ]

        async def call(number: int) -> None:
            name = Name("mallory", str(number))
            claim = await workers[number % WORKERS].claim(name, b"f" * 32)
            assert isinstance(claim, Claim)
            await asyncio.sleep(0.05)
            await claim.keep(answer)

        done, refused = await outcomes([call(number) for number in range(AT_ONCE)])
        assert done >= 19
        assert done + refused == AT_ONCE
        kept = total(tmp_path, "SELECT sum(size) FROM idempotency_keys")
        assert quota.limit - 2 * len(answer.body or b"") - 2_000 < kept <= quota.limit
        assert kept == total(tmp_path, "SELECT bytes FROM storage_use WHERE kind = 'answers'")
        # carried out, so each has its row, with or without the body
        assert total(tmp_path, "SELECT count(*) FROM idempotency_keys WHERE status = 200") == done
        with pytest.raises(QuotaUsedUp, match="PLUGIN_QUOTA_ANSWERS"):
            await workers[0].claim(Name("mallory", "more"), b"f" * 32)
        for worker in workers:
            await worker.close()


Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Call]:
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("quotas"),
        log_level="error",
        engine="none",
        quota_files=20_000,
        quota_documents=20_000,
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        engine = open_blocking(settings.database)
        key = KeyStore(engine, time.time).create("mallory", ("*",)).key
        engine.dispose()

        def ask(method: str, path: str, **options: Any) -> Any:
            headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
            return client.request(method, path, headers=headers, **options)

        yield ask


def upload(call: Call, size: int) -> Any:
    form = {"data": {"purpose": "user_data"}, "files": {"file": ("a", bytes(size))}}
    return call("POST", "/v1/files", **form)


def test_openai_clients_read_which_quota_and_how_much_is_in_use(call: Call) -> None:
    assert upload(call, 10_000).status_code == HTTPStatus.OK
    refused = upload(call, 10_000)
    assert refused.status_code == HTTPStatus.TOO_MANY_REQUESTS
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert "20,000 bytes; 14,096 are in use" in error["message"]
    assert "PLUGIN_QUOTA_FILES" in error["message"]
    assert refused.headers["x-should-retry"] == "false"
    [kept] = call("GET", "/v1/files").json()["data"]
    assert call("DELETE", f"/v1/files/{kept['id']}").status_code == HTTPStatus.OK
    assert upload(call, 10_000).status_code == HTTPStatus.OK


def test_an_operation_says_it_as_a_problem_and_its_key_stays_free(call: Call) -> None:
    large = {"documents": [{"id": "a", "text": 15_000 * "x"}]}
    assert call("POST", "/documents", json=large).status_code == HTTPStatus.OK
    more = {"documents": [{"id": "b", "text": 15_000 * "x"}]}
    headers = {"idempotency-key": "one"}
    refused = call("POST", "/documents", json=more, headers=headers)
    assert refused.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert refused.json()["code"] == "insufficient_quota"
    assert "PLUGIN_QUOTA_DOCUMENTS" in refused.json()["detail"]
    # a smaller text in the place of the same document is never refused
    large["documents"][0]["text"] = "short"
    assert call("POST", "/documents", json=large).status_code == HTTPStatus.OK
    assert call("POST", "/documents", json=more, headers=headers).status_code == HTTPStatus.OK

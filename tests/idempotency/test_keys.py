import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from plugin.errors import QuotaUsedUp
from plugin.idempotency.errors import (
    KeyInUse,
    KeyReused,
    KeysUnavailable,
    TooManyKeys,
)
from plugin.idempotency.keys import Claim, Idempotency
from plugin.idempotency.store import Answer, Name
from plugin.storage.use import quotas
from tests.idempotency.world import DONE, NAME, OTHER, SAME, die, world


async def ours(worker: Idempotency, fingerprint: bytes = SAME, name: Name = NAME) -> Claim:
    found = await worker.claim(name, fingerprint)
    assert isinstance(found, Claim)
    return found


async def test_many_at_once_on_several_workers_are_one(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        workers = [here.worker() for _ in range(4)]
        executed = 0

        async def one(worker: Idempotency) -> Answer:
            nonlocal executed
            found = await worker.claim(NAME, SAME)
            if isinstance(found, Answer):
                return found
            executed += 1
            await asyncio.sleep(0.05)
            await found.keep(DONE)
            found.free()
            return DONE

        found = await asyncio.gather(*(one(workers[n % 4]) for n in range(100)))
        for worker in workers:
            await worker.close()
    assert executed == 1
    assert found == [DONE] * 100


async def test_another_call_is_refused_at_once_while_and_after_it_runs(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        a, b = here.worker(), here.worker()
        claim = await ours(a)
        for worker in (a, b):
            with pytest.raises(KeyReused):
                await worker.claim(NAME, OTHER)
        await claim.keep(DONE)
        for worker in (a, b):
            with pytest.raises(KeyReused):
                await worker.claim(NAME, OTHER)
            assert await worker.claim(NAME, SAME) == DONE
        await a.close()
        await b.close()


@pytest.mark.parametrize("at", [0, 1])
async def test_a_key_that_is_freed_goes_to_one_who_waits(tmp_path: Path, at: int) -> None:
    async with world(tmp_path) as here:
        workers = [here.worker(), here.worker()]
        claim = await ours(workers[0])
        waiting = [asyncio.create_task(workers[at].claim(NAME, SAME)) for _ in range(3)]
        await asyncio.sleep(0.05)
        claim.free()
        (first,), rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        second = first.result()
        assert isinstance(second, Claim)
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in rest)
        await second.keep(DONE)
        assert await asyncio.gather(*rest) == [DONE, DONE]
        for worker in workers:
            await worker.close()


async def test_waiting_has_an_end_and_leaves_the_call_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        a, b = here.worker(wait=0.1), here.worker(wait=0.1)
        claim = await ours(a)
        found = await asyncio.gather(
            *(worker.claim(NAME, SAME) for worker in (a, b, b)), return_exceptions=True
        )
        assert [type(one) for one in found] == [KeyInUse] * 3
        await claim.keep(DONE)
        assert await b.claim(NAME, SAME) == DONE
        await a.close()
        await b.close()


async def test_a_killed_worker_frees_what_it_had_not_answered(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        a, b = here.worker(), here.worker()
        answered = Name("key_a", "answered")
        await (await ours(a, name=answered)).keep(DONE)
        await ours(a)
        waiting = asyncio.create_task(b.claim(NAME, SAME))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        die(a)
        assert isinstance(await waiting, Claim)
        assert await b.claim(answered, SAME) == DONE
        await b.close()


async def test_who_leaves_while_he_asks_or_waits_holds_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        a, b = here.worker(), here.worker()
        for steps in range(6):
            asking = asyncio.create_task(a.claim(NAME, SAME))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            claim = await ours(b)
            waiting = asyncio.create_task(a.claim(NAME, SAME))
            await asyncio.sleep(0.02)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            claim.free()
        await b.close()
        await a.close()
        assert here.rows() == []


async def test_a_locked_database_refuses_new_keys_and_loses_no_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        a, b = here.worker(), here.worker(wait=0.3)
        claim = await ours(a)
        freed = await ours(a, name=Name("key_a", "freed"))
        with here.engine().connect() as other:
            other.execute(text("UPDATE idempotency_keys SET size = 7"))
            with pytest.raises(KeysUnavailable):
                await a.claim(Name("key_a", "new"), SAME)
            await claim.keep(DONE)
            freed.free()
            assert await a.claim(NAME, SAME) == DONE
            with pytest.raises(KeyInUse):
                await b.claim(NAME, SAME)
            other.rollback()
        await a.store()
        assert await b.claim(NAME, SAME) == DONE
        assert isinstance(await b.claim(Name("key_a", "freed"), SAME), Claim)
        await a.close()
        await b.close()


async def test_an_answer_that_was_not_stored_is_stored_at_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        a, b = here.worker(), here.worker()
        claim = await ours(a)
        with here.engine().connect() as other:
            other.execute(text("UPDATE idempotency_keys SET size = 7"))
            await claim.keep(DONE)
            other.rollback()
        await a.close()
        assert await b.claim(NAME, SAME) == DONE
        await b.close()


async def test_a_caller_has_so_many_keys_and_bytes_of_answers(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        quota = quotas(answers=1024**2).answers
        worker = here.worker(most=3, quota=quota)
        for number in range(3):
            await (await ours(worker, name=Name("key_a", str(number)))).keep(DONE)
        with pytest.raises(TooManyKeys, match="At most 3 idempotency keys"):
            await worker.claim(Name("key_a", "3"), SAME)
        large = Answer(200, (), b"x" * 1_000_000)
        await (await ours(worker, name=Name("key_b", "0"))).keep(large)
        other = here.worker(most=3, quota=quota)
        with pytest.raises(QuotaUsedUp, match="1,048,576 bytes; 1,000,514 are in use"):
            await other.claim(Name("key_b", "1"), SAME)
        here.now += 86_400
        await worker.sweep()
        await ours(worker, name=Name("key_a", "3"))
        assert [row["key"] for row in here.rows()] == ["3"]
        await worker.close()
        await other.close()


async def test_old_keys_and_what_waits_are_tended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plugin.idempotency import keys as idempotency

    monkeypatch.setattr(idempotency, "_TEND_EVERY", 0.005)
    async with world(tmp_path) as here:
        worker = here.worker()
        await (await ours(worker)).keep(DONE)
        here.now += 86_400
        worker.start()
        async with asyncio.timeout(10):
            while here.rows():  # noqa: ASYNC110 - another task removes them
                await asyncio.sleep(0.01)
        await worker.close()


async def test_a_directory_that_is_gone_and_cannot_be_made_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        worker = here.worker()
        for path in (tmp_path / "holders").iterdir():
            path.unlink()
        (tmp_path / "holders").rmdir()
        (tmp_path / "holders").write_text("in the way")
        with pytest.raises(KeysUnavailable):
            await worker.claim(NAME, SAME)
        (tmp_path / "holders").unlink()
        await ours(worker)
        await worker.close()

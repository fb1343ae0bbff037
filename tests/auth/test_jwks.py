"""Keys that an issuer publishes: rotation, kid confusion, outages, and how often it is asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from plugin.auth import shared_keys
from plugin.auth.jwks import Jwks, KeySet, Pace
from plugin.auth.shared_keys import SharedKeys
from plugin.auth.signatures import read_key
from plugin.errors import SourceUnavailable
from plugin.outbound.client import Fetched
from tests.auth.conftest import Clock
from tests.auth.tokens import Author, private_key, public_jwk

OLD, NEW = Author("https://id.example.com", "ES256"), Author("https://id.example.com", "ES256", 1)


def jwk(author: Author, kid: str | None = None, **members: Any) -> dict[str, Any]:
    named = {} if kid is None else {"kid": kid}
    return public_jwk(author.private, **named, **members)


def key(author: Author) -> Any:
    return read_key(author.key, author.algorithm)


class Published:
    """What the issuer answers; a test changes it, breaks it, or makes it hang."""

    def __init__(self, *keys: Any) -> None:
        self.keys: list[Any] = list(keys)
        self.headers: dict[str, str] = {}
        self.status = 200
        self.body: bytes | None = None
        self.failing = False
        self.hanging: asyncio.Event | None = None
        self.asked = 0
        self.under_way = 0
        self.most_under_way = 0

    async def __call__(self) -> Fetched:
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.hanging is not None:
                await self.hanging.wait()
            if self.failing:
                raise SourceUnavailable("id.example.com cannot be reached. Try again later.")
            body = self.body or json.dumps({"keys": self.keys}).encode()
            return Fetched("https://id.example.com/jwks", self.status, self.headers, body)
        finally:
            self.under_way -= 1


@pytest.fixture
def published() -> Published:
    return Published(jwk(OLD, "old"))


Make = Callable[..., Jwks]


@pytest.fixture
def make(published: Published, clock: Clock) -> Make:
    def of(shared: SharedKeys | None = None, **pace: float) -> Jwks:
        return Jwks(OLD.issuer, "ES256", published, clock, Pace(**pace), shared)

    return of


@asynccontextmanager
async def started(keys: Jwks) -> AsyncIterator[Jwks]:
    keys.start()
    try:
        await settle()
        yield keys
    finally:
        await keys.close()


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def ask(keys: Jwks) -> bool:
    """Ask for a fetch and wait for it; False when that is not allowed now."""
    wait = keys.ask()
    if wait is None:
        return False
    await wait()
    return True


async def test_nothing_is_held_before_the_first_answer(make: Make) -> None:
    keys = make()
    assert keys.find("old") is None
    async with started(keys):
        assert keys.find("old") == key(OLD)


async def test_a_key_is_found_by_its_id_alone(make: Make, published: Published) -> None:
    published.keys = [jwk(OLD, "old"), jwk(NEW, "new")]
    async with started(make()) as keys:
        assert (keys.find("old"), keys.find("new")) == (key(OLD), key(NEW))
        for other in (None, "", "OLD", "old ", "0", "../old", "old\x00"):
            assert keys.find(other) is None, other


async def test_without_an_id_there_must_be_one_key(make: Make, published: Published) -> None:
    rsa, encrypting = public_jwk(private_key("RS256")), jwk(NEW, "enc", use="enc")
    for listed, found in (
        ([jwk(OLD)], True),
        ([jwk(OLD, "old"), rsa, encrypting], True),
        ([jwk(OLD), jwk(NEW)], False),
        ([jwk(OLD, "old"), jwk(NEW)], False),
        ([], False),
    ):
        published.keys = listed
        keys = make()
        await keys.refresh()
        assert (keys.find(None) is not None) is found, listed
    published.keys = [jwk(OLD)]
    await keys.refresh()
    assert keys.find("anything") is None


async def test_keys_for_something_else_are_left_out(make: Make, published: Published) -> None:
    published.keys = [
        public_jwk(private_key("RS256"), kid="old"),
        {"kty": "oct", "k": "AAAA", "kid": "old"},
        jwk(NEW, "old", use="enc"),
        jwk(NEW, "old", alg="ES384"),
        {**jwk(NEW, "old"), "d": "AAAA"},
        {**jwk(NEW), "kid": 7},
        {**jwk(NEW), "kid": ["old"]},
        *(None, "old", 7, [], {}),
        jwk(OLD, "old"),
    ]
    keys = make()
    await keys.refresh()
    assert keys.find("old") == key(OLD)
    assert keys._keys.unnamed == ()


async def test_two_keys_of_one_id_are_none(
    make: Make, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    published.keys = [jwk(OLD, "same"), jwk(NEW, "same"), jwk(NEW, "new")]
    keys = make()
    await keys.refresh()
    assert keys.find("same") is None
    assert keys.find("new") == key(NEW)
    assert "different keys of one id" in caplog.text
    published.keys = [jwk(OLD, "same"), jwk(OLD, "same")]
    await keys.refresh()
    assert keys.find("same") == key(OLD)


async def test_a_new_key_is_fetched_when_it_is_first_asked_for(
    make: Make, published: Published
) -> None:
    async with started(make()) as keys:
        published.keys = [jwk(OLD, "old"), jwk(NEW, "new")]
        assert keys.find("new") is None
        assert await ask(keys)
        assert keys.find("new") == key(NEW)
        assert published.asked == 2


async def test_a_key_that_is_taken_back_is_gone(
    make: Make, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(make()) as keys:
        published.keys = [jwk(NEW, "new")]
        assert await ask(keys)
        assert keys.find("old") is None
        published.keys = []
        await keys.refresh()
        assert keys.find("new") is None
        assert "publishes no key for ES256" in caplog.text


async def test_unknown_ids_cause_few_fetches(
    make: Make, published: Published, clock: Clock
) -> None:
    async with started(make(cooldown=10)) as keys:
        for _ in range(500):
            keys.find("invented")
            await ask(keys)
        assert published.asked == 2
        clock.now += 9.9
        assert not await ask(keys)
        clock.now += 0.2
        assert await ask(keys)
        assert published.asked == 3


async def test_all_who_ask_at_once_share_one_fetch(make: Make, published: Published) -> None:
    async with started(make()) as keys:
        published.hanging = asyncio.Event()
        published.keys = [jwk(NEW, "new")]
        waiting = [asyncio.create_task(ask(keys)) for _ in range(100)]
        await settle()
        assert published.under_way == 1
        assert keys.find("old") == key(OLD)
        published.hanging.set()
        assert all(await asyncio.gather(*waiting))
        assert keys.find("new") == key(NEW)
    assert (published.asked, published.most_under_way) == (2, 1)


async def test_nobody_waits_longer_than_patience(make: Make, published: Published) -> None:
    async with started(make(patience=0.05)) as keys:
        published.hanging = asyncio.Event()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(ask(keys) for _ in range(20)))
        assert 0.04 < loop.time() - begun < 1
        assert keys.find("old") == key(OLD)


async def test_during_an_outage_keys_stay_for_a_while(
    make: Make, published: Published, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    keys = make(usual=300, stale=3_600, retry=7)
    assert await keys.refresh() == 300
    published.failing = True
    for _ in range(5):
        clock.now += 770
        assert await keys.refresh() == 7
        assert keys.find("old") == key(OLD)
    clock.now += 60
    await keys.refresh()
    assert keys.find("old") is None
    assert caplog.text.count("cannot be fetched") == 1
    published.failing = False
    await keys.refresh()
    assert keys.find("old") == key(OLD)


DOCUMENTS = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'{"keys": {}}',
    b'{"keys": null}',
    b'{"keys": [], "keys": []}',
    b'{"keys": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    json.dumps({"keys": [jwk(NEW, "new")] * 101}).encode(),
    json.dumps({"keys": [jwk(NEW, "new")]}).encode("utf-16"),
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", DOCUMENTS)
async def test_what_is_no_key_set_changes_nothing(
    make: Make, published: Published, body: bytes
) -> None:
    keys = make()
    await keys.refresh()
    published.body = body or b" "
    await keys.refresh()
    assert keys.find("old") == key(OLD)
    assert keys.find("new") is None


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 404, 500])
async def test_only_200_is_an_answer(make: Make, published: Published, status: int) -> None:
    keys = make()
    await keys.refresh()
    published.keys, published.status = [jwk(NEW, "new")], status
    await keys.refresh()
    assert keys.find("old") == key(OLD)


@pytest.mark.parametrize(
    ("told", "age"),
    [
        ("", 300),
        ("max-age=120", 120),
        ('public, MAX-AGE="120", must-revalidate', 120),
        ("max-age=1", 10),
        ("max-age=0", 10),
        ("max-age=86400", 900),
        ("max-age=999999999999999", 300),
        ("max-age=-5", 300),
        ("no-store", 10),
        ("no-cache, max-age=500", 10),
        ("s-maxage=5", 300),
        ("private", 300),
    ],
)
async def test_the_issuer_says_how_long_within_bounds(
    make: Make, published: Published, told: str, age: float
) -> None:
    published.headers = {"cache-control": told}
    assert await make().refresh() == age


async def test_keys_are_fetched_anew_when_they_get_old(make: Make, published: Published) -> None:
    async with started(make(usual=0.02, shortest=0.01)) as keys:
        published.keys = [jwk(NEW, "new")]
        await _until(lambda: keys.find("new") is not None)
        assert keys.find("old") is None


async def test_a_fetch_that_breaks_is_logged_and_not_the_last(
    make: Make, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    published.headers = {"cache-control": 7}  # type: ignore[dict-item] # breaks its reader
    async with started(make(retry=0.01)) as keys:
        await _until(lambda: "fetching the keys" in caplog.text)
        published.headers = {}
        await _until(lambda: keys.find("old") is not None)


async def test_closing_ends_the_fetch_under_way(make: Make, published: Published) -> None:
    published.hanging = asyncio.Event()
    async with started(make()):
        assert published.under_way == 1
    assert published.under_way == 0


async def test_closing_what_was_not_started(make: Make) -> None:
    await make().close()


def test_a_set_of_keys_without_ids() -> None:
    assert KeySet({}).find(None) is None
    assert KeySet({}, (key(OLD),)).find(None) == key(OLD)


async def _until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not found():  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.005)


@pytest.fixture
def share(tmp_path: Path) -> Callable[[], SharedKeys]:
    """What each worker opens."""
    return lambda: SharedKeys.of(tmp_path, OLD.issuer, "ES256")


async def test_all_workers_drop_a_withdrawn_key_together(
    make: Make, published: Published, clock: Clock, share: Callable[[], SharedKeys]
) -> None:
    workers = [make(share()) for _ in range(4)]
    for worker in workers:
        await worker.refresh()
    assert [worker.find("old") for worker in workers] == [key(OLD)] * 4
    published.keys = [jwk(NEW, "new")]
    clock.now += 1
    await workers[0].refresh()
    assert [worker.find("old") for worker in workers] == [None] * 4
    assert [worker.find("new") for worker in workers] == [key(NEW)] * 4
    assert published.asked == 5


async def test_an_answer_that_was_asked_for_earlier_does_not_bring_a_key_back(
    make: Make, published: Published, clock: Clock, share: Callable[[], SharedKeys]
) -> None:
    slow, quick, third = (make(share()) for _ in range(3))
    stale = json.dumps({"keys": [jwk(OLD, "old")]}).encode()
    published.hanging = asyncio.Event()
    late = asyncio.create_task(slow.refresh())
    await settle()
    clock.now += 1
    hanging, published.hanging = published.hanging, None
    published.keys = [jwk(NEW, "new")]
    await quick.refresh()
    published.body = stale
    hanging.set()
    await late
    assert [one.find("old") for one in (slow, quick, third)] == [None] * 3
    assert [one.find("new") for one in (slow, quick, third)] == [key(NEW)] * 3


async def test_a_new_worker_has_the_keys_of_the_others_while_they_may_be_kept(
    make: Make, published: Published, clock: Clock, share: Callable[[], SharedKeys]
) -> None:
    await make(share(), usual=300, stale=3_600).refresh()
    published.failing = True
    clock.now += 3_899
    assert make(share(), usual=300, stale=3_600).find("old") == key(OLD)
    clock.now += 2
    assert make(share(), usual=300, stale=3_600).find("old") is None


async def test_keys_of_another_start_of_the_machine_are_passed_over(
    make: Make, share: Callable[[], SharedKeys], monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(share()).refresh()
    monkeypatch.setattr(shared_keys, "boot", lambda: bytes(16))
    assert make(share()).find("old") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"boot": 1, "asked": 2}'])
async def test_a_damaged_file_changes_nothing_and_is_written_over(
    make: Make,
    published: Published,
    clock: Clock,
    share: Callable[[], SharedKeys],
    tmp_path: Path,
    content: bytes,
) -> None:
    first, second = make(share()), make(share())
    await first.refresh()
    (file,) = (tmp_path / "jwks").glob("*.json")
    file.write_bytes(content)
    assert first.find("old") == key(OLD)
    published.keys = [jwk(NEW, "new")]
    clock.now += 1
    await second.refresh()
    assert first.find("old") is None
    assert first.find("new") == key(NEW)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_what_cannot_be_shared_is_logged_and_works(
    make: Make, share: Callable[[], SharedKeys], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "jwks").write_text("in its place")
    keys = make(share())
    await keys.refresh()
    assert keys.find("old") == key(OLD)
    assert "cannot be shared with other workers" in caplog.text


async def test_few_fetches_serve_many_workers(
    make: Make, published: Published, clock: Clock, share: Callable[[], SharedKeys]
) -> None:
    async with started(make(share(), usual=0.05, shortest=0.01)) as idle:
        clock.now += 1_000
        published.hanging = asyncio.Event()
        before = published.asked
        # the other worker fetches first each time
        other = Jwks(OLD.issuer, "ES256", Published(jwk(NEW, "new")), clock, Pace(), share())
        await other.refresh()
        await asyncio.sleep(0.2)
        assert idle.find("new") == key(NEW)
        assert published.asked <= before + 1

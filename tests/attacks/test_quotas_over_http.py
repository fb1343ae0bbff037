"""Attack: uploads of one key, all at once, over HTTP and on two workers. The quota holds."""

import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import text

from plugin.gate.limits import Limit
from plugin.gate.limits_store import LimitStore
from plugin.storage.database import open_blocking
from plugin.storage.use import PER_FILE
from tests.journeys.running import Running, new_key, running, until
from tests.sizes import sized

AT_ONCE = sized(80, 1_000)
SIZE = 1_000
FIT = 25
QUOTA = FIT * (SIZE + PER_FILE) + 10
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
)
SECONDS = sized(60, 300)


class Got(NamedTuple):
    """What an upload was answered: the status, and the code of the error."""

    status: int
    code: str


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    settings = {"PLUGIN_WORKERS": "2", "PLUGIN_QUOTA_FILES": str(QUOTA)}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * AT_ONCE + 400
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"only {hard} file descriptors are allowed here; {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with running(tmp_path, "serve", settings=settings) as started:
            yield started
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def all_at_once(port: int, key: str) -> list[Got]:
    """Open every connection first, then send every upload at the same moment."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(AT_ONCE)]
    body = FORM % bytes(SIZE)
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()

    async def upload(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Got:
        writer.write(head + body)
        top, _, content = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        status = int(top.split(b" ")[1])
        return Got(status, json.loads(content).get("error", {}).get("code", ""))

    async with asyncio.timeout(SECONDS):
        return list(await asyncio.gather(*(upload(*one) for one in opened)))


def rows(directory: Path) -> tuple[int, int]:
    """How many files there are, and how many bytes of the quota are in use."""
    engine = open_blocking(f"sqlite:///{directory / 'data' / 'plugin.db'}")
    try:
        with engine.connect() as connection:
            files = connection.execute(text("SELECT count(*) FROM files")).scalar_one()
            used = "SELECT sum(bytes) FROM storage_use WHERE kind = 'files'"
            return files, connection.execute(text(used)).scalar_one() or 0
    finally:
        engine.dispose()


def test_the_quota_holds(service: Running, tmp_path: Path) -> None:
    mallory = new_key(tmp_path)
    engine = open_blocking(f"sqlite:///{tmp_path / 'data' / 'plugin.db'}")
    LimitStore(engine).set(Limit("key", mallory["id"], "concurrent", "none", None))
    engine.dispose()
    refused = Got(HTTPStatus.TOO_MANY_REQUESTS, "insufficient_quota")
    stored = Got(HTTPStatus.OK, "")
    # a call that waited in vain for its turn did nothing, and says that it may come again
    waited = Got(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded")
    deadline, done = time.monotonic() + SECONDS, 0
    while True:
        found = Counter(asyncio.run(all_at_once(service.address.port, mallory["key"])))
        assert set(found) <= {stored, refused, waited}, found
        done += found[stored]
        assert rows(tmp_path) == (done, done * (SIZE + PER_FILE))
        assert done <= FIT
        if done == FIT or time.monotonic() > deadline:
            break
    assert done == FIT
    folder = tmp_path / "data" / "files"
    assert until(lambda: len([one for one in folder.iterdir() if one.is_file()]) == FIT)
    again = Counter(asyncio.run(all_at_once(service.address.port, mallory["key"])))
    assert set(again) <= {refused, waited}
    assert rows(tmp_path) == (FIT, FIT * (SIZE + PER_FILE))

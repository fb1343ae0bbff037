"""How many small calls a second pass the gate, against FastAPI with an HTTPBearer dependency.

Both services run in a child process with the same uvicorn settings and the same models; ours with
everything on (keys from the database, scopes, request ids, access log, body limit). The load comes
from `wrk` if there is one, else from a keep-alive client in a process of its own. Rounds are
interleaved; the median of the ratios is what counts.
"""

import argparse
import asyncio
import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from plugin.operations import Arguments, CurrentCaller, Reply, operation
from tests.bench import serving
from tests.bench.serving import CONNECTIONS, Service

BODY = b'{"text":"buy milk","urgent":true,"tags":["shop","home"]}'


class Note(Arguments):
    """What comes in."""

    text: Annotated[str, Field(min_length=1, max_length=500)]
    urgent: bool = False
    tags: list[str] = Field(default_factory=list)


class Kept(Reply):
    """What goes out."""

    text: str
    urgent: bool
    tags: list[str]
    length: int


router = APIRouter()


@router.post("/bench/notes", operation_id="bench_note", summary="Keep a note")
@operation(scope="bench:write")
async def bench_note(note: Note, caller: CurrentCaller) -> Kept:
    """Keep a note."""
    return Kept(text=note.text, urgent=note.urgent, tags=note.tags, length=len(caller.id))


def plain_fastapi(key: str) -> FastAPI:
    """The same operation, written as FastAPI's documentation does."""
    app = FastAPI()
    bearer = HTTPBearer()
    known = {hashlib.sha256(key.encode()).hexdigest(): "key_plain"}

    async def caller(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
    ) -> str:
        digest = hashlib.sha256(credentials.credentials.encode()).hexdigest()
        if digest not in known:
            raise HTTPException(401, "unknown key", {"WWW-Authenticate": "Bearer"})
        return known[digest]

    @app.post("/bench/notes")
    async def note(note: Note, who: Annotated[str, Depends(caller)]) -> Kept:
        return Kept(text=note.text, urgent=note.urgent, tags=note.tags, length=len(who))

    return app


def serve(which: str, key: str, port: int, directory: Path) -> None:
    """What the child process does."""
    if which == "plugin":
        from plugin.app import create_app
        from plugin.settings import Settings

        app = create_app(Settings(data_dir=directory, operations=("tests.bench.bench_gateway",)))
    else:
        app = plain_fastapi(key)
    serving.serve(app, port)


def make_key(directory: Path) -> str:
    """A key in a fresh database."""
    from plugin.auth.keys import KeyStore
    from plugin.storage.database import open_blocking
    from plugin.storage.migrate import prepare

    url = f"sqlite:///{directory / 'plugin.db'}"
    prepare(directory, url)
    engine = open_blocking(url)
    try:
        return KeyStore(engine, time.time).create("bench", ["*"]).key
    finally:
        engine.dispose()


def measure(service: Service, key: str, seconds: float, directory: Path) -> tuple[float, float]:
    """Requests a second, and microseconds of the service's CPU for each."""
    before = service.cpu()
    if shutil.which("wrk"):
        count, took = _wrk(service.port, key, seconds, directory)
    else:
        count, took = _own_client(service.port, key, seconds)
    return count / took, (service.cpu() - before) / count * 1e6


def _wrk(port: int, key: str, seconds: float, directory: Path) -> tuple[int, float]:
    script = directory / "post.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = [[{BODY.decode()}]]\n"
        f"wrk.headers['Authorization'] = 'Bearer {key}'\n"
        f"wrk.headers['Content-Type'] = 'application/json'\n{serving.DONE}"
    )
    return serving.wrk(f"http://127.0.0.1:{port}/bench/notes", seconds, script)


def _own_client(port: int, key: str, seconds: float) -> tuple[int, float]:
    arguments = ["--load", str(seconds), "--key", key, "--port", str(port)]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
    )
    count, took = done.stdout.split()
    return int(count), float(took)


async def load(port: int, key: str, seconds: float) -> tuple[int, float]:
    """Keep-alive connections, each sending as soon as it was answered."""
    request = (
        b"POST /bench/notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
    ) % (key.encode(), len(BODY), BODY)
    started = time.perf_counter()

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.perf_counter() - started < seconds:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"a request failed: {head!r}")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
            count += 1
        writer.close()
        return count

    counts = await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return sum(counts), time.perf_counter() - started


def compare(rounds: int, seconds: float) -> None:
    """Interleave, and print what came out."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key = make_key(directory)
        services = {
            which: Service(__file__, which, directory, "--key", key)
            for which in ("plugin", "fastapi")
        }
        try:
            for service in services.values():
                measure(service, key, 1, directory)
            found = [
                {which: measure(one, key, seconds, directory) for which, one in services.items()}
                for _ in range(rounds)
            ]
        finally:
            for service in services.values():
                service.stop()
    ratios = [one["plugin"][0] / one["fastapi"][0] for one in found]
    report = {
        which: {
            "requests_per_second": round(statistics.median(one[which][0] for one in found)),
            "cpu_microseconds": round(statistics.median(one[which][1] for one in found), 1),
        }
        for which in services
    }
    report_line = {**report, "ratio": round(statistics.median(ratios), 2)}
    print(orjson.dumps(report_line, option=orjson.OPT_INDENT_2).decode())
    print("ratios of the rounds:", ", ".join(f"{ratio:.2f}" for ratio in ratios))


def main() -> None:
    """Parent, child or load, by the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--child", choices=["plugin", "fastapi"], help=argparse.SUPPRESS)
    parser.add_argument("--load", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--key", default="", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, default=Path(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        serve(given.child, given.key, given.port, given.directory)
    elif given.load:
        print(*asyncio.run(load(given.port, given.key, given.load)))
    else:
        compare(given.rounds, given.seconds)


if __name__ == "__main__":
    main()

"""The size of a run, the migrated database, the layers around a test's routes, the engine."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from plugin.api import documents
from plugin.api.body_limit import BodyLimit
from plugin.api.gateway import Admit, Authenticate, Gateway, route_table
from plugin.api.middleware import Exchange, RequestLog
from plugin.auth.caller import Caller
from plugin.engines.llama.process.models import MODELS, look, places
from plugin.engines.llama.process.state import FILE, StateFile
from plugin.engines.llama.process.supervisor import Options, Supervisor
from plugin.errors import NotAuthenticated
from plugin.storage import migrate
from plugin.storage.database import sqlite_path
from plugin.telemetry.record import RequestRecord
from tests import sizes
from tests.migrated import migrate_for_real, place_database
from tests.open_meteo import OpenMeteo, settings_for, weather_source
from tests.pools.threads import some_pools

HERE = Path(__file__).parent
SLOW = ("journeys", "attacks", "llama", "clients", "cli", "server", "operations")

CALLERS = {
    b"Bearer all": Caller("key_all", "all", frozenset({"*"})),
    b"Bearer reader": Caller("key_reader", "reader", frozenset({"notes:read"})),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        sizes.LONG, action="store_true", help="run every test in full size, the long ones too"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: runs with --long only (see tests/README.md)")
    sizes.choose(long=config.getoption(sizes.LONG))
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts background jobs so, and the processes of the tests would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than processors, since many tests wait for a server; five at most."""
    return min((os.cpu_count() or 1) + 1, 5)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    if config.getoption(sizes.LONG):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("long")]


def _place(item: pytest.Item) -> int:
    """Folders that start servers or an engine run first, so that no process ends late."""
    folders = item.path.relative_to(HERE).parts
    return next((place for place, name in enumerate(SLOW) if name in folders), len(SLOW))


@pytest.fixture(scope="session", autouse=True)
def migrated_once() -> Iterator[None]:
    """Start every new database of this process as a copy of one that was migrated once.

    A migration takes 0.1 to 0.5 s, a copy 0.3 ms. `tests/storage/test_migrate.py` migrates for
    real.
    """

    def copy_or_migrate(url: str) -> None:
        if not place_database(sqlite_path(url)):
            migrate_for_real(url)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(migrate, "_run_patiently", copy_or_migrate)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_disk_reserve() -> Iterator[None]:
    """Let the services of this process reserve no disk: each would hold 64 MiB until the end."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PLUGIN_DISK_RESERVE", "0")
        yield


@pytest.fixture(scope="session", autouse=True)
def documents_once() -> Iterator[None]:
    """Build the OpenAPI document of the same routers once: 0.2 s for every service of a test."""
    build = documents.build
    built: dict[Any, tuple[Any, dict[str, Any]]] = {}

    def build_once(routers: Sequence[APIRouter], **given: str) -> dict[str, Any]:
        key = (*((id(router), len(router.routes)) for router in routers), *given.items())
        if key not in built:
            # The routers are kept, so that no other router gets the id of one of them.
            built[key] = (routers, build(routers, **given))
        return deepcopy(built[key][1])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(documents, "build", build_once)
        yield


def authenticate(headers: Iterable[tuple[bytes, bytes]]) -> Caller:
    caller = CALLERS.get(dict(headers).get(b"authorization", b""))
    if caller is None:
        raise NotAuthenticated("Who are you?", headers={"www-authenticate": "Bearer"})
    return caller


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Records(list[dict[str, object]]):
    """Access records, kept."""

    def write(self, record: RequestRecord, exchange: Exchange) -> None:
        assert exchange.request_id == record.request_id
        self.append(record.as_json())


class Gate:
    """The layers of the service in their order, around some routes."""

    def __init__(
        self,
        router: APIRouter,
        public: APIRouter | None = None,
        limit: int = 100_000,
        authenticate: Authenticate = authenticate,
        admit: Admit | None = None,
    ) -> None:
        self.fastapi = FastAPI(openapi_url=None)
        self.fastapi.state.services = SimpleNamespace(pools=some_pools())
        doors = [] if public is None else [public]
        for one in [*doors, router]:
            self.fastapi.include_router(one)
        opened = [route for door in doors for route in iter_route_contexts(door.routes)]
        self.table = route_table(self.fastapi, opened)
        self.records = Records()
        gateway = Gateway(self.fastapi, self.table, authenticate, admit)
        self.app = RequestLog(BodyLimit(gateway, limit), self.records, time.perf_counter)

    async def __call__(  # noqa: PLR0913 - a request has many parts
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        headers: Sequence[tuple[str, str | bytes]] = (),
        body: Any = None,
        key: str | None = "all",
        pieces: Sequence[bytes] | None = None,
    ) -> Reply:
        content = body if isinstance(body, bytes) else b"" if body is None else _dump(body)
        sent = [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in headers
        ]
        names = {name for name, _ in sent}
        if key is not None:
            sent.append((b"authorization", f"Bearer {key}".encode()))
        if (content or pieces) and b"content-type" not in names:
            sent.append((b"content-type", b"application/json"))
        if pieces is None and b"content-length" not in names:
            sent.append((b"content-length", str(len(content)).encode()))
        waiting = [content] if pieces is None else list(pieces)
        answered: list[Any] = []

        async def receive() -> dict[str, Any]:
            if not waiting:
                return {"type": "http.disconnect"}
            piece = waiting.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

        async def send(message: Any) -> None:
            answered.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": sent,
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
        }
        await self.app(scope, receive, send)
        start, *rest = answered or [{"status": 0}]
        raw = start.get("headers", ())
        return Reply(
            start["status"],
            {name.decode(): value.decode() for name, value in raw},
            b"".join(message.get("body", b"") for message in rest),
        )


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def gate() -> Callable[..., Gate]:
    return Gate


@pytest.fixture(scope="module")
def weather_server() -> Iterator[OpenMeteo]:
    """Speaks Open-Meteo's formats on loopback, for all tests of a module."""
    with weather_source() as source:
        yield source


@pytest.fixture
def open_meteo(weather_server: OpenMeteo) -> OpenMeteo:
    """The stand-in for Open-Meteo as it was at first."""
    weather_server.reset()
    return weather_server


@pytest.fixture
def weather(open_meteo: OpenMeteo) -> dict[str, str]:
    """The settings that make a service ask the stand-in."""
    return settings_for(open_meteo)


@pytest.fixture(scope="session")
def model_places() -> tuple[Path, ...]:
    """Where the model files lie; a test that needs them is skipped where they do not."""
    where = places(None, Path("no-data-directory"))
    missing = [model.name for model in MODELS if look(model, where).state != "verified"]
    if missing:
        pytest.skip(f"no model files of {', '.join(missing)}: `make setup` fetches them")
    return where


@pytest.fixture(scope="session")
def engine(
    model_places: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The embedded engine, running once for all tests: the path of its state file."""
    file = tmp_path_factory.mktemp("engine") / FILE
    supervisor = Supervisor(Options(model_places), file)
    supervisor.start()
    try:
        deadline = time.monotonic() + 60
        while (state := StateFile(file).read()).state != "ready":
            assert time.monotonic() < deadline, state
            time.sleep(0.02)
        yield file
    finally:
        supervisor.stop()

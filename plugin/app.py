"""Settings in, ASGI application out: the order of the layers, and the routers by name."""

import asyncio
import sys
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp

from plugin.api import docs, documents, health, metrics, tools, well_known
from plugin.api.body_limit import BodyLimit
from plugin.api.gateway import Gateway, route_table
from plugin.api.middleware import Exchange, RequestLog, Traffic
from plugin.api.v1 import (
    chat,
    completions,
    description,
    edits,
    embeddings,
    files,
    fine_tuning,
    images,
    models,
    moderations,
    usage,
)
from plugin.auth.caller import Caller
from plugin.errors import CannotRun, NoSpace, StorageUnavailable
from plugin.gate.admission import Admission
from plugin.operations import Access, access_of, discover
from plugin.services import (
    Services,
    fixed_keys,
    model_aliases,
    model_ids,
    open_services,
    open_telemetry,
)
from plugin.settings import Settings, load
from plugin.storage.reserve import Reserve
from plugin.telemetry.access_log import AccessLog
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.telemetry import Telemetry
from plugin.telemetry.traces import Traces, open_traces

_DISTRIBUTION = "gpt-plugin"
_DISK_FULL = (
    "The disk of this service is full, so it cannot write down this call, and nothing was done; "
    "the call may be right. The operator must make room in PLUGIN_DATA_DIR."
)

GPT_API: tuple[APIRouter, ...] = (
    chat.router,
    completions.router,
    edits.router,
    embeddings.router,
    models.router,
    moderations.router,
    images.router,
    files.router,
    fine_tuning.router,
    usage.router,
)
"""The families of endpoints below `/v1`."""

FOR_OPERATORS: tuple[APIRouter, ...] = (metrics.router,)
"""What is guarded like an operation, and is none for a model to call."""


def create_app(settings: Settings | None = None, *, ledger_beside: bool = False) -> ASGIApp:
    """The whole service; without `settings` the environment is read.

    With `ledger_beside` another process brings journals into the ledger, and this one does not.

    Raises `CannotRun` for a setting, a template or an operation that cannot be served.
    """
    settings = settings or load()
    fixed_keys(settings)  # read again when they are used; here a wrong one is one line
    model_aliases(settings)  # the same
    _check_prices(settings)
    records = _access_log(settings)
    operations = discover(settings.operations, settings.built_in)
    doors = open_doors(operations, settings)
    public = [route for door in doors for route in iter_route_contexts(door.routes)]
    traces = None if settings.traces is None else open_traces(settings.traces, _version())
    paths = [str(route.path) for route in public]
    watched = _Watched(paths, Traffic(), traces)
    guarded = (*GPT_API, *FOR_OPERATORS, *operations)

    opened = _Opened(records, _storing((*operations, files.router)))
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(settings, opened, _scopes(guarded), watched, beside=ledger_beside),
    )
    for router in (*doors, *guarded):
        app.include_router(router)

    # From the inside out: a request passes the last one first.
    table = route_table(app, public)
    service: ASGIApp = Gateway(app, table, opened.authenticate, opened.admit)
    service = BodyLimit(service, settings.body_limit, limits_of_uploads(settings))
    return RequestLog(
        service, opened, time.perf_counter, traces=watched.traces, traffic=watched.traffic
    )


@dataclass(frozen=True, slots=True)
class _Watched:
    """What is watched of this process: open paths by name, what is under way, and its traces."""

    public: Collection[str]
    traffic: Traffic
    traces: Traces | None


class _Opened:
    """What the layers ask of what the lifespan opens, found without a look-up."""

    __slots__ = ("_storing", "access_log", "services", "telemetry")

    def __init__(self, access_log: AccessLog | None, storing: Mapping[str, bool]) -> None:
        self.access_log = access_log
        self._storing = storing
        self.services: Services
        self.telemetry: Telemetry

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        """See `Authenticate`."""
        return self.services.authenticate(headers)

    def admit(
        self, caller: Caller, action: str, door: str, request_id: str
    ) -> Admission | Awaitable[Admission]:
        """See `Admit`; raises `NoSpace` too, before anything else is done."""
        if self.services.reserve.is_low:
            self._admit_on_full_disk(action)
        return self.services.gate.admit(caller, action, door, request_id)

    def _admit_on_full_disk(self, action: str) -> None:
        """Refuse what stores; what deletes has space of its own, for it makes room."""
        reserve, stores = self.services.reserve, self._storing.get(action)
        if stores:
            raise NoSpace
        if stores is False:
            if not _lets_delete(reserve):
                raise StorageUnavailable(_DISK_FULL)
        elif reserve.is_spent:
            raise StorageUnavailable(_DISK_FULL)

    def write(self, record: RequestRecord, exchange: Exchange) -> None:
        """Take the record of a request that has ended, at once."""
        if self.access_log is not None:
            self.access_log.write(record.as_json())
        self.telemetry.record(record, exchange.way, admitted=exchange.admitted)


def _lets_delete(reserve: Reserve) -> bool:
    try:
        return reserve.lets_delete()
    except OSError:
        return False


def _storing(routers: Iterable[APIRouter]) -> dict[str, bool]:
    """The actions that write: True for those that store, False for those that delete."""
    found: dict[str, bool] = {}
    for route in (route for router in routers for route in iter_route_contexts(router.routes)):
        access = None if route.endpoint is None else access_of(route.endpoint)
        if access is not None and not access.reads:
            methods = route.methods or set()
            if methods & {"POST", "PUT", "PATCH"}:
                found[access.action] = True
            elif "DELETE" in methods:
                found[access.action] = False
    return found


def _version() -> str:
    return version(_DISTRIBUTION)


def limits_of_uploads(settings: Settings) -> dict[str, int]:
    """The paths that take uploads, and the bytes of a whole form there."""
    limits = dict.fromkeys(images.UPLOADS, images.UPLOAD_LIMIT)
    return limits | {"/v1/files": settings.file_limit + files.FORM_ALLOWANCE}


def open_doors(operations: Sequence[APIRouter], settings: Settings) -> list[APIRouter]:
    """The routers that anyone may reach: what there is to call, and whether we live."""
    server = settings.base_url
    known = well_known.load(settings.well_known_dir, server)
    contract = documents.build(operations, title=known.name, server=server, version=_version())
    openapi = documents.write(contract)

    def gpt_api() -> dict[str, Any]:
        title = f"{known.name}: GPT API"
        return description.build(GPT_API, title=title, server=server, version=_version())

    return [
        documents.router(openapi),
        description.router(gpt_api),
        well_known.router(known),
        tools.router(openapi),
        docs.router(),
        health.router,
    ]


def scopes(settings: Settings) -> list[str]:
    """Every scope that some operation asks for."""
    return _scopes((*GPT_API, *FOR_OPERATORS, *discover(settings.operations, settings.built_in)))


def _scopes(operations: Iterable[APIRouter]) -> list[str]:
    return sorted({access.scope for access in _declared(operations)})


def actions(settings: Settings) -> list[str]:
    """Every operation by its id, the endpoints of the GPT API among them."""
    routers = (*GPT_API, *FOR_OPERATORS, *discover(settings.operations, settings.built_in))
    return sorted({access.action for access in _declared(routers)})


def _declared(operations: Iterable[APIRouter]) -> Iterator[Access]:
    routes = (route for router in operations for route in iter_route_contexts(router.routes))
    found = (access_of(route.endpoint) for route in routes if route.endpoint is not None)
    return (access for access in found if access is not None)


def _check_prices(settings: Settings) -> None:
    """Refuse a price for what is not there: what it was meant for would be free."""
    if not settings.prices:
        return
    known = {*model_ids(settings), *actions(settings)}
    for name in settings.prices:
        if name not in known:
            raise CannotRun(
                f"PLUGIN_PRICES: {name!r} is no model's own name and no operation's id; "
                f"there is {', '.join(sorted(known))}"
            )


def _access_log(settings: Settings) -> AccessLog | None:
    if settings.log_level not in {"debug", "info"}:
        return None
    return AccessLog(sys.stderr.buffer, time.time)


def _lifespan(
    settings: Settings,
    opened: _Opened,
    scopes: Collection[str],
    watched: _Watched,
    *,
    beside: bool,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        records = opened.access_log
        if records is not None:
            records.start()
        try:
            async with (
                open_services(settings, scopes, ledger_beside=beside) as services,
                open_telemetry(settings, services, watched.public, watched.traffic) as telemetry,
            ):
                app.state.services, app.state.telemetry = services, telemetry
                opened.services, opened.telemetry = services, telemetry
                yield
        finally:
            if records is not None:
                records.close()
            if watched.traces is not None:
                await asyncio.to_thread(watched.traces.close)

    return lifespan

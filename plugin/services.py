"""Every long-lived object: built once, in this order, and closed in reverse."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Container
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine as SqlEngine
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.auth.bearer import BearerAuth
from plugin.auth.jwks import Jwks
from plugin.auth.jwt import FixedKey, Issuer, JwtAuth
from plugin.auth.key_ring import KeyRing, LastUse
from plugin.auth.keys import CHANGES as KEY_CHANGES
from plugin.auth.keys import find_secret
from plugin.auth.shared_keys import SharedKeys
from plugin.auth.signatures import UnfitKey, read_key
from plugin.engines.aliases import alias_table
from plugin.engines.catalog import Catalog, Model
from plugin.engines.embedder import open_embedder
from plugin.engines.engine import Engine
from plugin.engines.fallback import engines_of
from plugin.engines.llama.engine import Llama, embedded_models
from plugin.engines.llama.grammar.schema_pool import SchemaPool
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.process.state import FILE, StateFile
from plugin.engines.llama.queues import DIRECTORY as QUEUES
from plugin.engines.llama.queues import open_queues
from plugin.engines.upstream import Address, Upstream
from plugin.errors import CannotRun
from plugin.gate.gate import Gate
from plugin.gate.limits_store import CHANGES as LIMIT_CHANGES
from plugin.gate.limits_store import LimitStore, WatchedLimits
from plugin.gate.opening import open_gate
from plugin.gate.prices import Price, Prices
from plugin.gate.queue import Room
from plugin.gpt.file_sweep import swept
from plugin.gpt.files import Files
from plugin.gpt.moderation import Phrases
from plugin.idempotency.keys import Idempotency
from plugin.ledger.backlog import backlog
from plugin.ledger.journal import Journal
from plugin.ledger.opening import DIRECTORY as JOURNALS
from plugin.ledger.opening import open_books
from plugin.ledger.reader import LedgerReader
from plugin.operations.documents.meaning import Meaning, open_meaning
from plugin.operations.open_meteo import OpenMeteo
from plugin.operations.resources import Embedder
from plugin.outbound.client import GuardedClient, Limits
from plugin.pools.opening import Pools, open_pools
from plugin.pools.turns import Turns
from plugin.settings import JwtIssuer, Settings
from plugin.storage import migrate
from plugin.storage.database import FAILURES, ChangeWatch, Commits, open_blocking, open_database
from plugin.storage.reserve import Reserve
from plugin.storage.use import Quotas
from plugin.storage.use import quotas as storage_quotas
from plugin.storage.worker_lease import WorkerLease
from plugin.telemetry import names
from plugin.telemetry.metrics import Metrics
from plugin.telemetry.rejections import DIRECTORY, Decisions
from plugin.telemetry.remaining import Remaining
from plugin.telemetry.samples import Figures
from plugin.telemetry.telemetry import Telemetry, kept
from plugin.trail import current

_TO_ISSUERS = Limits(total=5.0, connect=3.0, body=500_000)

_LATEST_USAGE = 1.0
"""Seconds that a question for usage waits at most for calls that just ended."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the gate and the operations work with."""

    pools: Pools
    database: AsyncEngine
    authenticate: BearerAuth
    http: GuardedClient
    weather: OpenMeteo
    catalog: Catalog
    files: Files
    usage: LedgerReader
    phrases: Phrases
    embedder: Embedder | None
    meaning: Meaning | None
    gate: Gate
    idempotency: Idempotency
    quotas: Quotas
    reserve: Reserve

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            async with self.database.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True


def fixed_keys(settings: Settings) -> dict[str, FixedKey]:
    """The keys that settings give, by issuer; raises `CannotRun` for one that is none."""
    return {
        given.issuer: _fixed_key(given, given.key.get_secret_value())
        for given in settings.jwt_issuers
        if given.key is not None
    }


def _fixed_key(given: JwtIssuer, text: str) -> FixedKey:
    try:
        return FixedKey(read_key(text, given.algorithm))
    except UnfitKey as error:
        raise CannotRun(f"PLUGIN_JWT_ISSUERS: the key of {given.issuer!r} {error}") from None


@asynccontextmanager
async def open_services(
    settings: Settings, scopes: Collection[str] = (), *, ledger_beside: bool = False
) -> AsyncIterator[Services]:
    """Open everything; what was opened is closed, even when a later part fails.

    `scopes` are those that a token may carry here; with `ledger_beside` another process writes the
    ledger.
    """
    url = settings.database
    quotas = storage_quotas(settings.quota_files, settings.quota_documents, settings.quota_answers)
    migrate.prepare(settings.data_dir, url)
    async with AsyncExitStack() as stack:
        reserve = await stack.enter_async_context(_open_reserve(settings))
        pools = stack.enter_context(
            open_pools(current.get, (os.cpu_count() or 1) // settings.workers)
        )
        database = open_database(url, pools.database)
        stack.push_async_callback(database.dispose)

        # Asked on the event loop, so neither waits: see KeyRing for what happens instead.
        commits = Commits(url, asyncio.get_running_loop().call_soon)
        stack.callback(commits.close)
        reader = open_blocking(url, wait=0)
        stack.callback(reader.dispose)
        opening = open_books(settings.data_dir, url, ledger_beside=ledger_beside)
        books = await stack.enter_async_context(opening)
        watched = WatchedLimits(LimitStore(reader).list, ChangeWatch(commits, LIMIT_CHANGES))
        gate = await stack.enter_async_context(_open_gate(settings, watched, reader, books.journal))
        idempotency = await stack.enter_async_context(_open_idempotency(settings, pools, quotas))
        keys = KeyRing(partial(find_secret, commits), ChangeWatch(commits, KEY_CHANGES), time.time)
        last_use = LastUse(keys, database, time.time)
        stack.push_async_callback(last_use.close)
        last_use.start()

        http = await stack.enter_async_context(GuardedClient())
        # What the operator's settings name may lie inside; that trust ends at this client.
        forecast, geocoding = settings.weather_forecast_url, settings.weather_geocoding_url
        to_weather = GuardedClient(trusted=(forecast, geocoding))
        await stack.enter_async_context(to_weather)
        weather = OpenMeteo(to_weather, forecast_url=forecast, geocoding_url=geocoding)

        issuers = await _open_issuers(stack, settings)
        tokens = JwtAuth(issuers, scopes, time.time) if issuers else None
        catalog = await open_catalog(stack, settings, pools.schemas)
        files = Files(
            settings.data_dir / "files",
            settings.file_limit,
            database,
            pools.files,
            time.time,
            quotas.files,
        )
        await stack.enter_async_context(swept(files))
        usage = LedgerReader(
            database,
            partial(books.caught_up, _LATEST_USAGE),
            threads=pools.ledger,
            heavy=pools.heavy,
        )
        embedder = open_embedder(catalog, pools.documents)
        of_documents = embedder if "documents" in settings.built_in else None
        meaning = await stack.enter_async_context(
            open_meaning(database, of_documents, pools.documents)
        )
        bearer = BearerAuth(keys, tokens)
        yield Services(
            *(
                pools,
                database,
                bearer,
                http,
                weather,
                catalog,
                files,
                usage,
                Phrases(),
                embedder,
                meaning,
            ),
            gate=gate,
            idempotency=idempotency,
            quotas=quotas,
            reserve=reserve,
        )


class Traffic(Protocol):
    """What is under way in this process."""

    active: int
    streams: int


@asynccontextmanager
async def open_telemetry(
    settings: Settings, services: Services, public: Container[str], traffic: Traffic
) -> AsyncIterator[Telemetry]:
    """What is told of the work; `public` are the paths that need no key."""
    state = StateFile(settings.data_dir / FILE)

    def of_worker(figures: Figures) -> None:
        figures.count(names.ACTIVE, by=traffic.active)
        figures.count(names.STREAMS, by=traffic.streams)
        figures.count(names.JOURNAL, by=getattr(services.gate.book, "waiting", 0))
        for name, now in services.catalog.states().items():
            if name.startswith("upstream "):
                figures.count(names.BREAKERS, (name.removeprefix("upstream "), now))

    def of_service(figures: Figures) -> None:
        if settings.engine == "embedded":
            figures.count(names.ENGINE, (state.read().state,))
            figures.count(names.RESTARTS, by=state.read().restarts)
        with suppress(*FAILURES):  # a database that does not answer is told by /readyz
            lag = backlog(settings.data_dir / JOURNALS, settings.database)
            figures.count(names.LEDGER, by=lag)

    metrics = Metrics(
        settings.data_dir / "metrics",
        frozenset(services.catalog.names()),
        public,
        [of_worker],
        [of_service],
    )
    decisions = Decisions(settings.data_dir / DIRECTORY, time.time)
    remaining = Remaining(services.gate, settings.database)
    async with kept(metrics, decisions, services.pools.metrics, remaining) as telemetry:
        yield telemetry


@asynccontextmanager
async def _open_reserve(settings: Settings) -> AsyncIterator[Reserve]:
    reserve = Reserve(settings.data_dir, settings.disk_reserve)
    reserve.look()
    watching = asyncio.create_task(reserve.watch())
    try:
        yield reserve
    finally:
        watching.cancel()
        await asyncio.wait({watching})


@asynccontextmanager
async def _open_gate(
    settings: Settings, watched: WatchedLimits, reader: SqlEngine, journal: Journal
) -> AsyncIterator[Gate]:
    given = settings.prices.items()
    prices = {name: Price(one.tokens_in, one.tokens_out, one.call) for name, one in given}
    async with open_gate(
        settings.data_dir,
        watched,
        Prices(prices),
        Room(settings.queue, settings.queue_seconds),
        journal,
        reader,
    ) as gate:
        yield gate


@asynccontextmanager
async def _open_idempotency(
    settings: Settings, pools: Pools, quotas: Quotas
) -> AsyncIterator[Idempotency]:
    spool = settings.data_dir / "spool"
    spool.mkdir(mode=0o700, exist_ok=True)
    engine = open_blocking(settings.database, wait=1.0)
    try:
        keys = Idempotency(
            engine,
            pools.idempotency,
            settings.data_dir / "holders",
            time.time,
            quota=quotas.answers,
            spool=spool,
        )
        keys.start()
        try:
            yield keys
        finally:
            await keys.close()
    finally:
        engine.dispose()


async def open_catalog(stack: AsyncExitStack, settings: Settings, schemas: Turns) -> Catalog:
    """Every engine there is, under every name."""
    upstreams = await _open_upstreams(stack, settings)
    state = StateFile(settings.data_dir / FILE)
    near = list[tuple[Model, Engine]]()
    if settings.engine == "embedded":
        near = await _open_embedded(stack, settings, state, schemas)
    states: dict[str, Callable[[], str]] = {"engine": lambda: state.read().state} if near else {}
    for upstream in {one for _, one in upstreams}:
        states[f"upstream {upstream.name}"] = partial(getattr, upstream.breaker, "state")
    return Catalog([*engines_of(upstreams), *near], model_aliases(settings), states)


def model_aliases(settings: Settings) -> dict[str, str]:
    """Every other name of a model; raises `CannotRun` for one that leads to nothing."""
    return alias_table(settings.model_aliases, model_ids(settings))


def model_ids(settings: Settings) -> list[str]:
    """The models' own names."""
    near = embedded_models(settings.engine_context) if settings.engine == "embedded" else []
    far = [model.id for upstream in settings.upstreams for model in upstream.models]
    return list(dict.fromkeys([*far, *(model.id for model in near)]))


async def _open_upstreams(
    stack: AsyncExitStack, settings: Settings
) -> list[tuple[Model, Upstream]]:
    served = list[tuple[Model, Upstream]]()
    for given in settings.upstreams:
        limits = Limits(connect=given.connect_timeout, idle=given.timeout)
        client = GuardedClient(trusted=(given.base_url,), limits=limits)
        await stack.enter_async_context(client)
        key = None if given.api_key is None else given.api_key.get_secret_value()
        address = Address(
            given.name, given.base_url, key, given.timeout, given.retries, given.concurrency
        )
        upstream = Upstream(address, client, time.monotonic)
        for model in given.models:
            served.append((Model(owned_by=given.name, **model.model_dump()), upstream))
    return served


async def _open_embedded(
    stack: AsyncExitStack, settings: Settings, state: StateFile, schemas: Turns
) -> list[tuple[Model, Engine]]:
    client = await stack.enter_async_context(GuardedClient(allow_loopback=True))
    worker = stack.enter_context(closing(WorkerLease(settings.data_dir / "holders")))
    queues = open_queues(settings.data_dir / QUEUES, worker, settings.engine_slots)
    link = Link(state, client, queues=stack.enter_context(queues))
    engine = Llama(link, SchemaWork(SchemaPool(schemas)))
    stack.callback(engine.close)
    return [(model, engine) for model in embedded_models(settings.engine_context)]


async def _open_issuers(stack: AsyncExitStack, settings: Settings) -> list[Issuer]:
    fixed = fixed_keys(settings)
    issuers: list[Issuer] = []
    for given in settings.jwt_issuers:
        keys = fixed.get(given.issuer) or await _published(stack, given, settings.data_dir)
        issuers.append(Issuer(given.issuer, given.audience, given.algorithm, keys))
    return issuers


async def _published(stack: AsyncExitStack, given: JwtIssuer, directory: Path) -> Jwks:
    url = str(given.jwks_url)
    shared = SharedKeys.of(directory, given.issuer, given.algorithm, url)
    client = await stack.enter_async_context(GuardedClient(trusted=(url,), limits=_TO_ISSUERS))
    # Not followed: where the keys lie is for the settings to say, and for nobody else.
    fetch = partial(client.request, "GET", url, follow=False)
    keys = Jwks(given.issuer, given.algorithm, fetch, time.monotonic, shared=shared)
    stack.push_async_callback(keys.close)
    keys.start()
    return keys

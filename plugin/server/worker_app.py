"""The service inside a worker: imported while the parent still reads its settings."""

import gc
import logging
import signal
import socket
import sys
import time

import uvicorn

from plugin.api.draining import Draining
from plugin.app import create_app
from plugin.auth import first_key
from plugin.auth.keys import KeyStore
from plugin.errors import CannotRun
from plugin.exit_codes import CANNOT_RUN, FINE
from plugin.ledger.acts import note_act
from plugin.server.drain import AT_STOP, Drain
from plugin.server.http.protocol import GuardedHttp
from plugin.server.http.timeouts import Times
from plugin.server.parent import Parent
from plugin.server.uvicorn_server import DrainServer
from plugin.settings import Settings
from plugin.storage.database import open_blocking
from plugin.storage.migrate import prepare

_YOUNG, _OLDER = 10_000, 20
_SWITCH = 0.001
"""New objects until the collector looks at them, and looks until it looks at older ones."""


def run(settings: Settings, parent: Parent, listener: socket.socket, *, wants_key: bool) -> int:
    """Serve; the exit code of the process. With `wants_key` there is a first API key then."""
    try:
        prepare(settings.data_dir, settings.database)
        key = _first_key(settings) if wants_key else None
        layer = Draining(create_app(settings, ledger_beside=True))
        spare_the_collector()
        favour_the_event_loop()
    except CannotRun as error:
        parent.tell(cannot=error.detail)
        return CANNOT_RUN
    parent.tell(checked=True)
    server = DrainServer(
        _configuration(settings, layer),
        layer,
        Times(settings.header_seconds, settings.body_seconds, settings.idle_seconds),
        ready=lambda: parent.tell(ready=True, key=key),
        closed=lambda: parent.tell(closed=True),
    )
    asked = Drain(settings.drain_seconds, AT_STOP, settings.drain_delay)
    signal.signal(signal.SIGTERM, lambda *_: server.drain(asked))
    server.serve_told_by(parent, listener)
    return FINE


def spare_the_collector() -> None:
    """Have garbage collection leave alone what was made until now, and look at the rest seldom.

    Routes and validators live as long as the process; passes over them were 5 % of a request. What
    a start leaves behind is about 1 MiB, and one pass to find it costs 0.1 s, so it is kept too.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
    gc.enable()


def favour_the_event_loop() -> None:
    """Have threads that compute give way to the event loop after 1 ms instead of 5 ms."""
    sys.setswitchinterval(_SWITCH)


def _configuration(settings: Settings, layer: Draining) -> uvicorn.Config:
    from plugin.telemetry.log_config import log_config

    return uvicorn.Config(
        layer,
        loop="uvloop" if sys.platform != "win32" else "auto",
        http=GuardedHttp,
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        log_config=log_config(settings.log_level),
    )


def _first_key(settings: Settings) -> str | None:
    engine = open_blocking(settings.database)
    try:
        store = KeyStore(engine, time.time)
        key = first_key.ensure(store, settings.data_dir)
        if key is not None:
            made = store.list()[0]
            scopes = sorted(made.scopes)
            try:
                note_act(settings.data_dir, "key created", made.id, name=made.name, scopes=scopes)
            except OSError as error:
                logging.getLogger("plugin.service").warning(
                    "this act is not in the ledger: %s", error
                )
        return key
    finally:
        engine.dispose()

"""Every long-lived object: built once, in this order, and closed in reverse."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.auth.bearer import BearerAuth
from plugin.auth.key_ring import KeyRing, LastUse
from plugin.auth.keys import KeyStore
from plugin.operations.open_meteo import OpenMeteo
from plugin.outbound.client import GuardedClient
from plugin.settings import Settings
from plugin.storage import migrate
from plugin.storage.database import ChangeWatch, open_blocking, open_database


@dataclass(frozen=True, slots=True)
class Services:
    """What the gate and the operations work with."""

    database: AsyncEngine
    authenticate: BearerAuth
    http: GuardedClient
    weather: OpenMeteo

    async def ready(self) -> bool:
        """Whether the database answers."""
        try:
            async with self.database.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open everything; what was opened is closed, even when a later part fails."""
    url = settings.database
    migrate.prepare(settings.data_dir, url)
    async with AsyncExitStack() as stack:
        database = open_database(url)
        stack.push_async_callback(database.dispose)

        # Asked on the event loop, so it never waits: see KeyRing for what happens instead.
        reader = open_blocking(url, wait=0)
        stack.callback(reader.dispose)
        watch = ChangeWatch(url, "api_key_changes")
        stack.callback(watch.close)
        keys = KeyRing(KeyStore(reader, time.time).list, watch, time.time)
        last_use = LastUse(keys, database, time.time)
        stack.push_async_callback(last_use.close)
        last_use.start()

        http = await stack.enter_async_context(GuardedClient())
        # What the operator's settings name may lie inside; that trust ends at this client.
        forecast, geocoding = settings.weather_forecast_url, settings.weather_geocoding_url
        to_weather = GuardedClient(trusted=(forecast, geocoding))
        await stack.enter_async_context(to_weather)
        weather = OpenMeteo(to_weather, forecast_url=forecast, geocoding_url=geocoding)

        yield Services(database, BearerAuth(keys), http, weather)

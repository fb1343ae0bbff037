"""What an endpoint may ask for: who calls, the time, and the long-lived objects of the service."""

from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.auth.caller import Caller
from plugin.errors import NotAuthenticated
from plugin.outbound.client import GuardedClient


class Services(Protocol):
    """What `app.state.services` must offer to operations; `plugin.services` builds it."""

    @property
    def database(self) -> AsyncEngine:
        """Where operations store. A row belongs to a caller: select by `caller.id`."""

    @property
    def http(self) -> GuardedClient:
        """For addresses that come from outside, in a call or in another's answer."""


async def _caller(request: Request) -> Caller:
    caller = request.scope.get("plugin.caller")
    if not isinstance(caller, Caller):
        # The gateway puts it there before any route runs: without it nobody has been let in.
        raise NotAuthenticated("This operation was reached without a caller; send a bearer key.")
    return caller


async def _database(request: Request) -> AsyncEngine:
    services: Services = request.app.state.services
    return services.database


async def _http(request: Request) -> GuardedClient:
    services: Services = request.app.state.services
    return services.http


async def _now() -> datetime:
    return datetime.now(UTC)


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""The authenticated caller of this request."""

Database = Annotated[AsyncEngine, Depends(_database)]
"""The service's database, through SQLAlchemy Core."""

Http = Annotated[GuardedClient, Depends(_http)]
"""The guarded HTTP client."""

Now = Annotated[datetime, Depends(_now)]
"""The moment of the call, in UTC; a dependency, so that a test can set the clock."""

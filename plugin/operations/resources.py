"""What an endpoint may ask for: who calls, the time, and the long-lived objects of the service."""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.auth.caller import Caller
from plugin.errors import NotAuthenticated
from plugin.outbound.client import GuardedClient
from plugin.pools.opening import Pools as _Pools
from plugin.storage.use import Quotas as _Quotas


class Embedder(Protocol):
    """Turns texts into vectors: those of texts that mean much the same lie near each other."""

    @property
    def model(self) -> str:
        """The model that makes them; vectors of two models cannot be compared."""

    @property
    def least(self) -> float:
        """The cosine below which two texts have nothing to do with each other."""

    def reads(self, text: str) -> bool:
        """Whether the model knows the writing of a text: one for English reads no Chinese."""

    async def embed(self, texts: Sequence[str]) -> "list[array[float]]":
        """A vector of floats (`array("f")`) of length one for each text, in their order.

        Raises `InvalidRequest` and `ContextLengthExceeded` for a text that the model does not take,
        and other errors of `plugin.errors` when it does not answer.
        """


class Services(Protocol):
    """What `app.state.services` must offer to operations; `plugin.services` builds it."""

    @property
    def database(self) -> AsyncEngine:
        """Where operations store. A row belongs to a caller: select by `caller.id`."""

    @property
    def http(self) -> GuardedClient:
        """For addresses that come from outside, in a call or in another's answer."""

    @property
    def pools(self) -> _Pools:
        """What is bounded for each caller: threads and heavy work."""

    @property
    def quotas(self) -> _Quotas:
        """How much a caller may store."""

    @property
    def embedder(self) -> Embedder | None:
        """What makes vectors of texts; None where no engine has a model for it."""


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


async def _pools(request: Request) -> _Pools:
    services: Services = request.app.state.services
    return services.pools


async def _quotas(request: Request) -> _Quotas:
    services: Services = request.app.state.services
    return services.quotas


async def _embedder(request: Request) -> Embedder | None:
    services: Services = request.app.state.services
    return services.embedder


async def _now() -> datetime:
    return datetime.now(UTC)


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""The authenticated caller of this request."""

Database = Annotated[AsyncEngine, Depends(_database)]
"""The service's database, through SQLAlchemy Core."""

Http = Annotated[GuardedClient, Depends(_http)]
"""The guarded HTTP client."""

Pools = Annotated[_Pools, Depends(_pools)]
"""Threads for what takes long, and turns at heavy work; a caller has at most half of each."""

Quotas = Annotated[_Quotas, Depends(_quotas)]
"""How much a caller may store."""

Now = Annotated[datetime, Depends(_now)]
"""The moment of the call, in UTC; a dependency, so that a test can set the clock."""

Vectors = Annotated[Embedder | None, Depends(_embedder)]
"""What makes vectors of texts; None where no engine has a model for it."""

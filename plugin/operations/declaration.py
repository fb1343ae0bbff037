"""What an endpoint declares to become an operation: its scope, and what calling it means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from plugin.errors import PluginError

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_MARK = "__plugin_access__"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an operation, and what a door may tell about it.

    `action` is the operation id. `consequential` asks the user before each call. `idempotent` says
    that calling twice does no more than calling once, `reads` that it changes nothing although its
    method is not GET, `open_world` that the answer comes from
    outside this service. `raises` are the errors that its endpoint raises on its own account.
    Without `metered` a call meets no limits and has no row in the ledger: a scrape of figures.
    """

    action: str
    scope: str
    consequential: bool = False
    idempotent: bool = False
    reads: bool = False
    open_world: bool = False
    metered: bool = True
    raises: tuple[type[PluginError], ...] = ()


def operation(  # noqa: PLR0913 - one argument for each thing that is declared
    *,
    scope: str,
    consequential: bool = False,
    idempotent: bool = False,
    reads: bool = False,
    open_world: bool = False,
    metered: bool = True,
    raises: tuple[type[PluginError], ...] = (),
) -> Callable[[Endpoint], Endpoint]:
    """Declare a FastAPI endpoint as an operation; it stands below the route's decorator.

    The function itself is left as it is. Its name is the action, and the route's `operation_id`
    must be the same, so that what a model calls can be found by searching for it.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        access = Access(
            action=endpoint.__name__,
            scope=scope,
            consequential=consequential,
            idempotent=idempotent,
            reads=reads,
            open_world=open_world,
            metered=metered,
            raises=tuple(raises),
        )
        setattr(endpoint, _MARK, access)
        return endpoint

    return declare


def access_of(endpoint: Callable[..., Any]) -> Access | None:
    """What `operation` declared for an endpoint, or None when it is no operation."""
    access = getattr(endpoint, _MARK, None)
    return access if isinstance(access, Access) else None

"""The gate: one pure-ASGI layer that finds the route, asks who calls, answers for what fails."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from plugin.api.direct_route import machinery_app, operation_app
from plugin.api.errors.handlers import problem
from plugin.api.idempotent import app_of
from plugin.api.local_path import local_path
from plugin.api.middleware import BROKEN_OFF, CALLER_LEFT, Exchange
from plugin.api.route_table import Entry, RouteTable
from plugin.api.waiting import while_waiting
from plugin.auth.bearer import REALM
from plugin.auth.caller import Caller
from plugin.auth.refusal import Undecided
from plugin.errors import CannotRun, MethodNotAllowed, MissingScope
from plugin.gate.admission import Admission, Ending
from plugin.operations import Access, access_of

Authenticate = Callable[[Iterable[tuple[bytes, bytes]]], Caller]
"""From the headers of a request to its caller; raises `NotAuthenticated`.

It does not wait. Where it raises `Undecided`, the gate waits, and asks once more.
"""

Admit = Callable[[Caller, str, str, str], Admission | Awaitable[Admission]]
"""From a caller, an action, a door and a request id to what was let in, or what to await for it.

It raises `LimitReached`, and so does the waiting.
"""

_POLICY_VIOLATION = 1008  # RFC 6455 7.4.1


def route_table(app: FastAPI, public: Collection[RouteContext]) -> RouteTable:
    """Every route of `app`: those of `public` are open, all others must be operations."""
    opened = {id(route.original_route) for route in public}
    return RouteTable(
        [
            _entry(route, is_open=id(route.original_route) in opened)
            for route in iter_route_contexts(app.routes)
        ]
    )


def _entry(route: RouteContext, *, is_open: bool) -> Entry:
    if route.endpoint is None or route.path is None or route.methods is None:
        raise CannotRun(
            f"{route.path or route.original_route} is no route with methods, so the gate cannot "
            "guard it: mounted applications and WebSockets are not served."
        )
    if is_open:
        return Entry(route, machinery_app(route), None)
    access = access_of(route.endpoint)
    if access is None:
        raise CannotRun(f"{route.path} is neither public nor declared with @operation(scope=...).")
    return Entry(route, operation_app(route), access)


class Gateway:
    """Stands before every route. It expects an `Exchange` in the scope (see `middleware`).

    Unknown paths and methods are answered without asking who calls, as all that exists is public in
    the OpenAPI document; nothing else is reached without a Caller but what was declared open.
    """

    def __init__(
        self,
        app: FastAPI,
        table: RouteTable,
        authenticate: Authenticate,
        admit: Admit | None = None,
    ) -> None:
        self._app = app
        self._table = table
        self._authenticate = authenticate
        self._admit = admit

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle a request; the lifespan passes, WebSockets are refused."""
        match scope["type"]:
            case "http":
                return self._handle(scope, receive, send)
            case "lifespan":
                return self._app(scope, receive, send)
        return _refuse(receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["plugin.exchange"]
        entry: Entry | None = None
        if scope["method"] == "HEAD":
            send = _without_content(send)
        try:
            found = self._table.find(scope["method"], local_path(scope))
            if found is None:
                await self._miss(scope, send)
                return
            entry, params = found
            scope["route"] = entry.route
            if entry.access is not None:
                receive = await self._let_in(scope, receive, entry.access, exchange)
            scope["app"] = self._app
            scope["endpoint"] = entry.route.endpoint
            scope["path_params"] = dict(params)
            await app_of(entry, scope)(scope, receive, send)
        except ClientDisconnect:
            exchange.record.ended = exchange.record.ended or CALLER_LEFT  # nobody can be answered
        except Exception as error:
            if exchange.status is not None:
                raise  # an answer cut off must look cut off
            route = entry.route if entry is not None else None
            answer = problem(error, route, exchange.request_id)
            exchange.failed(answer)
            await exchange.door.refuse(send, answer, exchange.request_id)

    async def _let_in(
        self, scope: Scope, receive: Receive, access: Access, exchange: Exchange
    ) -> Receive:
        """Ask who calls, and take the call's share of his limits; gives what is left to read."""
        try:
            caller = self._authenticate(scope["headers"])
        except Undecided as undecided:
            await undecided.settled()
            caller = self._authenticate(scope["headers"])
        scope["plugin.caller"] = caller
        exchange.caller_id = caller.id
        _permit(caller, access.scope)
        if self._admit is None or not access.metered:
            return receive
        found = self._admit(caller, access.action, exchange.door.name, exchange.request_id)
        if isinstance(found, Admission):
            admission = found
        else:
            admission, receive = await while_waiting(found, receive, _in_vain)
        exchange.admission, exchange.standing = admission, admission.standing
        return receive

    async def _miss(self, scope: Scope, send: Send) -> None:
        path, method = local_path(scope), scope["method"]
        allowed = self._table.allowed(path)
        if not allowed:
            other = path.rstrip("/") if path.endswith("/") else f"{path}/"
            # Never to "//host": a browser takes that for an address.
            if other and not other.startswith("//") and self._table.allowed(other):
                await _redirect(scope, send, other)
                return
            exchange: Exchange = scope["plugin.exchange"]
            raise exchange.door.nothing_at(method, path)
        offered = sorted(allowed - {"HEAD"} or allowed)
        listed = ", ".join(sorted({*allowed, "OPTIONS"}))
        if method == "OPTIONS":
            await _reply(send, 204, [(b"allow", listed.encode())])
            return
        raise MethodNotAllowed(
            f"{method[:20]} is not offered at this path; use {' or '.join(offered)}.",
            headers={"allow": listed},
        )


def _in_vain(admission: Admission) -> None:
    """A call was let in whose request has ended meanwhile."""
    admission.settle(Ending(None, BROKEN_OFF))


async def _refuse(receive: Receive, send: Send) -> None:
    await receive()
    reason = "this service speaks HTTP only"
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": reason})


def _permit(caller: Caller, wanted: str) -> None:
    if caller.may(wanted):
        return
    held = " ".join(sorted(caller.scopes)) or "none"
    raise MissingScope(
        f"This operation needs the scope {wanted}; the key has {held}. Use a key with that "
        "scope, or ask the operator for one.",
        headers={
            "www-authenticate": f'Bearer realm="{REALM}", error="insufficient_scope", '
            f'scope="{wanted}"'
        },
    )


def _without_content(send: Send) -> Send:
    async def bare(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bare


async def _redirect(scope: Scope, send: Send, path: str) -> None:
    location = quote(
        scope.get("root_path", "") + path, safe="/:@!$&'()*+,;=~", errors="replace"
    ).encode()
    if scope["query_string"]:
        location += b"?" + scope["query_string"]
    await _reply(send, 307, [(b"location", location)])


async def _reply(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", b"0")] if status != 204 else headers  # noqa: PLR2004
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

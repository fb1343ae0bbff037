"""Requests to an application in this process, and its lifespan."""

import asyncio
from typing import Any

import pytest

from plugin.contract.requests.request import Request
from plugin.harness.asgi import AsgiService, Message
from plugin.harness.exchange import Unreachable

GET = Request("GET", "/a%20b/%C3%A9%2F", "q=1&r=%20", (("X-Name", "é"),), b"")


async def answer(send: Any, body: bytes = b"ok", status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"X-A", b"\xe9")]})
    await send({"type": "http.response.body", "body": body})


class Application:
    """An application that remembers what came; its lifespan does as it is told."""

    def __init__(self, startup: str = "complete", shutdown: str = "complete") -> None:
        self.scopes: list[Message] = []
        self.events: list[str] = []
        self._startup, self._shutdown = startup, shutdown

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        self.scopes.append(scope)
        await receive()
        await answer(send)

    async def _live(self, scope: Message, receive: Any, send: Any) -> None:
        self.events.append((await receive())["type"])
        if self._startup == "raise":
            raise RuntimeError("I know no lifespan")
        scope["state"]["started"] = True
        await send({"type": f"lifespan.startup.{self._startup}", "message": "no database"})
        self.events.append((await receive())["type"])
        await send({"type": f"lifespan.shutdown.{self._shutdown}"})
        if self._shutdown == "complete":
            return
        await receive()


async def test_a_request_as_the_application_sees_it() -> None:
    application = Application()
    async with AsgiService(application, (("Authorization", "Bearer k"),)) as service:
        response = await service.send(GET)
    assert (response.status, response.body) == (200, b"ok")
    assert response.headers == (("x-a", "é"),)
    (scope,) = application.scopes
    assert scope["path"] == "/a b/é/"
    assert scope["raw_path"] == b"/a%20b/%C3%A9%2F"
    assert scope["query_string"] == b"q=1&r=%20"
    assert dict(scope["headers"]) == {
        b"host": b"localhost",
        b"authorization": b"Bearer k",
        b"x-name": "é".encode(),
    }


async def test_the_lifespan_is_opened_and_closed() -> None:
    application = Application()
    async with AsgiService(application) as service:
        assert application.events == ["lifespan.startup"]
        await service.send(GET)
    assert application.events == ["lifespan.startup", "lifespan.shutdown"]


async def test_state_is_passed_on_and_not_shared_between_requests() -> None:
    application = Application()
    async with AsgiService(application) as service:
        await service.send(GET)
        application.scopes[0]["state"]["mine"] = 1
        await service.send(GET)
    assert application.scopes[0]["state"] == {"started": True, "mine": 1}
    assert application.scopes[1]["state"] == {"started": True}


@pytest.mark.parametrize("startup", ["raise", "return"])
async def test_an_application_without_a_lifespan(startup: str) -> None:
    async def returning(scope: Message, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send)

    application = Application("raise") if startup == "raise" else returning
    async with AsgiService(application) as service:
        assert (await service.send(GET)).status == 200


async def test_an_application_that_fails_to_start() -> None:
    with pytest.raises(Unreachable, match="did not start: no database"):
        async with AsgiService(Application("failed")):
            pass


@pytest.mark.parametrize("shutdown", ["complete", "failed"])
async def test_leaving_does_not_hang(shutdown: str) -> None:
    async with asyncio.timeout(5):
        async with AsgiService(Application(shutdown=shutdown)) as service:
            await service.send(GET)


async def test_an_application_that_raises() -> None:
    async def raising(_scope: Message, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(Unreachable, match="raised ZeroDivisionError: division by zero"):
        await AsgiService(raising).send(GET)


async def test_an_application_that_says_nothing() -> None:
    async def silent(_scope: Message, _receive: Any, _send: Any) -> None:
        return

    with pytest.raises(Unreachable, match="ended without an answer"):
        await AsgiService(silent).send(GET)


async def test_an_application_that_hangs() -> None:
    async def hanging(_scope: Message, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Unreachable, match=r"no answer within 0.02 s"):
        await AsgiService(hanging, seconds=0.02).send(GET)


async def test_its_own_time_limits_are_its_own() -> None:
    async def impatient(_scope: Message, _receive: Any, _send: Any) -> None:
        raise TimeoutError("upstream")

    with pytest.raises(Unreachable, match="raised TimeoutError: upstream"):
        await AsgiService(impatient, seconds=5).send(GET)


async def test_the_client_stays_until_the_answer_is_whole_and_leaves_then() -> None:
    received: list[str] = []

    async def streaming(_scope: Message, receive: Any, send: Any) -> None:
        received.append((await receive())["type"])
        leaving = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"a", b"b"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
            assert not leaving.done()
        await send({"type": "http.response.body"})
        received.append((await leaving)["type"])

    async with asyncio.timeout(5):
        response = await AsgiService(streaming).send(GET)
    assert response.body == b"ab"
    assert received == ["http.request", "http.disconnect"]

"""Replay with judging, against bare ASGI calls of the same application, in one interleaved run.

Both send the same requests to this service on a throw-away database. The bare side does what the
least client can do: one scope a request, the body joined, nothing read or checked.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, MutableMapping
from itertools import cycle, islice
from typing import Any

from plugin.cli.harness.own_service import open_target
from plugin.contract.names import names
from plugin.contract.operation import Contract
from plugin.contract.requests.request import Request, build
from plugin.harness.checks import Checks, Limits
from plugin.harness.replay import Outcome, Replay
from plugin.harness.transcript import Reply
from plugin.messages import Call
from plugin.transports.service_under_test import UnderTest, Where

ROUNDS = 9
CALLS = 400
MIX = (
    Call("1", "add_todo", '{"text": "Buy milk"}'),
    Call("2", "list_todos", '{"status": "open", "limit": 5}'),
    Call("3", "list_todos", "{}"),
    Call("4", "complete_todo", '{"todo_id": 1}'),
)


async def main() -> None:
    """Print the median of each side and of their ratios."""
    async with open_target(Where()) as service:
        contract = await service.contract()
        calls = list(islice(cycle(MIX), CALLS))
        requests = [_request(contract, call) for call in calls]
        bare, judged, ratios = [], [], []
        for _ in range(ROUNDS):
            bare.append(CALLS / await _bare(service, requests))
            judged.append(CALLS / await _replayed(service, contract, calls))
            ratios.append(judged[-1] / bare[-1])
    print(f"bare ASGI calls     {statistics.median(bare):>8,.0f} /s")
    print(f"replay with judging {statistics.median(judged):>8,.0f} /s")
    print(f"ratio, median of {ROUNDS}: {statistics.median(ratios):.2f}")


def _request(contract: Contract, call: Call) -> Request:
    import orjson

    return build(names(contract)[call.name], orjson.loads(call.arguments))


async def _bare(service: UnderTest, requests: list[Request]) -> float:
    application, headers = _inside(service)
    started = time.perf_counter()
    for request in requests:
        await _call(application, headers, request)
    return time.perf_counter() - started


async def _call(
    application: Callable[..., Any], headers: list[tuple[bytes, bytes]], request: Request
) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "root_path": "",
        "headers": [*headers, (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    parts: list[bytes] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            parts.append(message["body"])

    await application(scope, receive, send)


def _inside(service: UnderTest) -> tuple[Callable[..., Any], list[tuple[bytes, bytes]]]:
    opened = service.send.__self__  # type: ignore[attr-defined]  # the bound method's AsgiService
    return opened._application, opened._headers


async def _replayed(service: UnderTest, contract: Contract, calls: list[Call]) -> float:
    replies = [Reply(row, 0, "openai_chat", (call,), None) for row, call in enumerate(calls, 1)]
    replay = Replay(names(contract), service.send, Checks(Limits()))
    started = time.perf_counter()
    async for event in replay.run(replies):
        if getattr(event, "outcome", None) is not Outcome.PASSED:
            raise SystemExit(f"a call of the bench did not pass: {event}")
    return time.perf_counter() - started


if __name__ == "__main__":
    asyncio.run(main())

"""A boat yard written from boats.json alone, without a word of this project's code.

Each path begins with the way in which the contract is broken there; see BREAKS.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

DOCUMENT = json.loads(Path(__file__).with_name("boats.json").read_text("utf-8"))
SLOW_SECONDS = 3.0

BOATS: dict[int, dict[str, Any]] = {
    1: {"id": 1, "name": "Kittiwake", "berths": ["A4"], "state": "ashore"},
    2: {"id": 2, "name": "Dipper", "berths": [], "state": "moored", "gear": [{"id": 7}]},
}
SKIPPERS = {"ines": {"id": 1, "name": "ines", "grade": 2}}


class CutOff(Exception):  # noqa: N818 - it says what happens
    """The connection ends in the middle of an answer."""


async def list_boats(request: Request) -> Response:
    asked = request.query_params.getlist("state")
    wanted = {state for part in asked for state in part.split(",")}
    if not wanted <= {"moored", "out", "ashore"}:
        return Response(status_code=400)
    return JSONResponse([boat for boat in BOATS.values() if boat["state"] in wanted])


async def get_boat(request: Request) -> Response:
    number = request.path_params["boat_id"]
    if not number.isdecimal():
        return Response(status_code=400)
    boat = BOATS.get(int(number))
    return JSONResponse(boat) if boat else Response(status_code=404)


async def count_boats(_: Request) -> Response:
    counts: dict[str, int] = {}
    for boat in BOATS.values():
        counts[boat["state"]] = counts.get(boat["state"], 0) + 1
    return JSONResponse(counts)


async def book_hire(request: Request) -> Response:
    try:
        hire = await request.json()
    except ValueError:
        return Response(status_code=400)
    if not isinstance(hire, dict) or not isinstance(hire.get("boatId"), int):
        return Response(status_code=400)
    hires = request.app.state.hires
    hires[len(hires) + 1] = {"id": len(hires) + 1, "stage": "booked", **hire}
    return JSONResponse(hires[len(hires)])


async def get_hire(request: Request) -> Response:
    number = request.path_params["hire_id"]
    if not number.isdecimal() or not 1 <= int(number) <= 10:
        return Response(status_code=400)
    hire = request.app.state.hires.get(int(number))
    return JSONResponse(hire) if hire else Response(status_code=404)


async def sign_in(request: Request) -> Response:
    if not {"name", "passphrase"} <= request.query_params.keys():
        return Response(status_code=400)
    return JSONResponse("welcome aboard")


async def get_skipper(request: Request) -> Response:
    skipper = SKIPPERS.get(request.path_params["name"])
    return JSONResponse(skipper) if skipper else Response(status_code=404)


def changed(make: Callable[[Any], Any]) -> Callable[[Response], Awaitable[Response]]:
    """The good answer with another body."""

    async def change(response: Response) -> Response:
        return JSONResponse(make(json.loads(bytes(response.body))))

    return change


def instead(make: Callable[[], Response]) -> Callable[[Response], Awaitable[Response]]:
    async def replace(_: Response) -> Response:
        return make()

    return replace


def cut_off() -> Response:
    async def half() -> Any:
        yield b'{"id": 1, "na'
        raise CutOff

    headers = {"content-length": "1000"}
    return StreamingResponse(half(), headers=headers, media_type="application/json")


async def late(response: Response) -> Response:
    await asyncio.sleep(SLOW_SECONDS)
    return response


async def unhandled(_: Response) -> Response:
    raise ZeroDivisionError


def without(key: str) -> Callable[[Any], Any]:
    return lambda value: {name: part for name, part in value.items() if name != key}


def page(status: int) -> Response:
    return HTMLResponse("<!doctype html><h1>Something went wrong</h1>", status)


BREAKS: dict[str, tuple[str, Callable[[Response], Awaitable[Response]]]] = {
    # name: (operation, what becomes of its good answer)
    "wrong status": ("getHire", instead(lambda: JSONResponse({}, 418))),
    "missing property": ("getBoat", changed(without("berths"))),
    "wrong type": ("getBoat", changed(lambda boat: {**boat, "id": "one"})),
    "extra enum value": (
        "listBoatsInState",
        changed(lambda boats: [{**boat, "state": "sunk"} for boat in boats]),
    ),
    "wrong value in a map": ("countBoats", changed(lambda counts: {**counts, "out": 1.5})),
    "not the kind of value": ("signIn", changed(lambda said: {"message": said})),
    "oversize": ("getSkipper", changed(lambda skipper: {**skipper, "motto": "x" * 100_000})),
    "slow": ("countBoats", late),
    "HTML error": ("getSkipper", instead(lambda: page(503))),
    "empty body": ("getBoat", instead(lambda: Response(b"", media_type="application/json"))),
    "cut JSON": (
        "getBoat",
        instead(lambda: Response(b'{"id": 1, "na', media_type="application/json")),
    ),
    "wrong content type": ("signIn", instead(lambda: Response("hi", media_type="text/csv"))),
    "crash": ("bookHire", unhandled),
    "500 as declared by default": ("getBoat", instead(lambda: JSONResponse({}, 500))),
    "refuses what fits": ("bookHire", instead(lambda: JSONResponse({"error": "no"}, 422))),
    "connection cut": ("getBoat", instead(cut_off)),
}
HANDLERS = {
    "listBoatsInState": ("/boats/inState", "GET", list_boats),
    "getBoat": ("/boats/{boat_id}", "GET", get_boat),
    "countBoats": ("/yard/counts", "GET", count_boats),
    "bookHire": ("/hires", "POST", book_hire),
    "getHire": ("/hires/{hire_id}", "GET", get_hire),
    "signIn": ("/skippers/signIn", "GET", sign_in),
    "getSkipper": ("/skippers/{name}", "GET", get_skipper),
}


def create(broken: str = "") -> Starlette:
    """Return a yard with the breach `broken`, or with none."""
    planted = {BREAKS[broken][0]: BREAKS[broken][1]} if broken else {}

    def route(name: str) -> Route:
        path, method, good = HANDLERS[name]

        async def answer(request: Request) -> Response:
            response: Response = await good(request)
            is_good = response.status_code == 200
            return await planted[name](response) if is_good and name in planted else response

        return Route(path, answer, methods=[method])

    application = Starlette(routes=[route(name) for name in HANDLERS])
    application.state.hires = {}
    return application


def application() -> Starlette:
    """Return the yard once a breach, each under its name, and under /well without one."""
    yards = [Mount(f"/{slug(name)}", create(name)) for name in BREAKS]
    return Starlette(routes=[Mount("/well", create()), *yards])


def slug(name: str) -> str:
    """Return the first part of the path at which the breach `name` is planted."""
    return name.replace(" ", "-")

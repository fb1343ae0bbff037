"""A pet store written from petstore.json alone, by somebody who has never heard of this project.

`PETSTORE_BREAKS` names one way to break the contract; see BREAKS. Run it with uvicorn.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

DOCUMENT = json.loads(Path(__file__).with_name("petstore.json").read_text("utf-8"))
SLOW_SECONDS = 1.0

PETS: dict[int, dict[str, Any]] = {
    1: {"id": 1, "name": "Rex", "photoUrls": ["https://pets.example/rex.jpg"], "status": "sold"},
    2: {"id": 2, "name": "Mia", "photoUrls": [], "status": "available", "tags": [{"id": 7}]},
}
USERS = {"user1": {"id": 1, "username": "user1", "userStatus": 1}}


class CutOff(Exception):  # noqa: N818 - it says what happens
    """The connection ends in the middle of an answer."""


async def find_pets_by_status(request: Request) -> Response:
    asked = request.query_params.getlist("status")
    wanted = {status for part in asked for status in part.split(",")}
    if not wanted <= {"available", "pending", "sold"}:
        return Response(status_code=400)
    return JSONResponse([pet for pet in PETS.values() if pet["status"] in wanted])


async def get_pet(request: Request) -> Response:
    number = request.path_params["pet_id"]
    if not number.isdecimal():
        return Response(status_code=400)
    pet = PETS.get(int(number))
    return JSONResponse(pet) if pet else Response(status_code=404)


async def get_inventory(_: Request) -> Response:
    counts: dict[str, int] = {}
    for pet in PETS.values():
        counts[pet["status"]] = counts.get(pet["status"], 0) + 1
    return JSONResponse(counts)


async def place_order(request: Request) -> Response:
    try:
        order = await request.json()
    except ValueError:
        return Response(status_code=400)
    if not isinstance(order, dict) or not isinstance(order.get("petId"), int):
        return Response(status_code=400)
    orders = request.app.state.orders
    orders[len(orders) + 1] = {"id": len(orders) + 1, "status": "placed", **order}
    return JSONResponse(orders[len(orders)])


async def get_order(request: Request) -> Response:
    number = request.path_params["order_id"]
    if not number.isdecimal() or not 1 <= int(number) <= 10:
        return Response(status_code=400)
    order = request.app.state.orders.get(int(number))
    return JSONResponse(order) if order else Response(status_code=404)


async def log_in(request: Request) -> Response:
    if not {"username", "password"} <= request.query_params.keys():
        return Response(status_code=400)
    return JSONResponse("logged in")


async def get_user(request: Request) -> Response:
    user = USERS.get(request.path_params["username"])
    return JSONResponse(user) if user else Response(status_code=404)


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
    "wrong status": ("getOrderById", instead(lambda: JSONResponse({}, 418))),
    "missing property": ("getPetById", changed(without("photoUrls"))),
    "wrong type": ("getPetById", changed(lambda pet: {**pet, "id": "one"})),
    "extra enum value": (
        "findPetsByStatus",
        changed(lambda pets: [{**pet, "status": "lost"} for pet in pets]),
    ),
    "wrong value in a map": ("getInventory", changed(lambda counts: {**counts, "sold": 1.5})),
    "not the kind of value": ("loginUser", changed(lambda said: {"message": said})),
    "oversize": ("getUserByName", changed(lambda user: {**user, "email": "x" * 100_000})),
    "slow": ("getInventory", late),
    "HTML error": ("getUserByName", instead(lambda: page(503))),
    "empty body": ("getPetById", instead(lambda: Response(b"", media_type="application/json"))),
    "cut JSON": (
        "getPetById",
        instead(lambda: Response(b'{"id": 1, "na', media_type="application/json")),
    ),
    "wrong content type": ("loginUser", instead(lambda: Response("hi", media_type="text/csv"))),
    "crash": ("placeOrder", unhandled),
    "500 as declared by default": ("getPetById", instead(lambda: JSONResponse({}, 500))),
    "refuses what fits": ("placeOrder", instead(lambda: JSONResponse({"error": "no"}, 422))),
    "connection cut": ("getPetById", instead(cut_off)),
}
HANDLERS = {
    "findPetsByStatus": ("/pet/findByStatus", "GET", find_pets_by_status),
    "getPetById": ("/pet/{pet_id}", "GET", get_pet),
    "getInventory": ("/store/inventory", "GET", get_inventory),
    "placeOrder": ("/store/order", "POST", place_order),
    "getOrderById": ("/store/order/{order_id}", "GET", get_order),
    "loginUser": ("/user/login", "GET", log_in),
    "getUserByName": ("/user/{username}", "GET", get_user),
}


def create(broken: str = "") -> Starlette:
    """The service; `broken` is empty, one name of BREAKS, or several with commas between."""
    names = [name for name in broken.split(",") if name]
    planted = {BREAKS[name][0]: BREAKS[name][1] for name in names}

    def route(name: str) -> Route:
        path, method, good = HANDLERS[name]

        async def answer(request: Request) -> Response:
            response: Response = await good(request)
            is_good = response.status_code == 200
            return await planted[name](response) if is_good and name in planted else response

        return Route(path, answer, methods=[method])

    application = Starlette(routes=[route(name) for name in HANDLERS])
    application.state.orders = {}
    return application


def application() -> Starlette:
    """What uvicorn runs."""
    return create(os.environ.get("PETSTORE_BREAKS", ""))

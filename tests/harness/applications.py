"""Applications for `plugin replay --app`: what the command line may name, good and odd."""

from typing import Any

from tests.harness.planted import SECURED, Planted, Service

NOT_AN_APPLICATION = {"a": 1}

good = Service()
missing_property = Service(Planted(body={"id": 1}))
without_document = Service(Planted(404, {"detail": "no"}))
without_document.document = {"detail": "no document"}


def make() -> Service:
    return Service(document=SECURED)


def make_or_raise() -> Service:
    raise ValueError("no database\nhere")


def repeats_the_key(how: str) -> Any:
    """An application that gives away what it was given: the caller's key."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        key = dict(scope.get("headers", ())).get(b"authorization", b"").decode()
        service = Service()
        if how == "raises":
            service.planted = Planted(raises=RuntimeError(f"cannot use {key}"))
        else:
            service.planted = Planted(body={"id": key, "name": [key]})
        await service(scope, receive, send)

    return application


answers_with_the_key = repeats_the_key("answers")
raises_with_the_key = repeats_the_key("raises")


async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

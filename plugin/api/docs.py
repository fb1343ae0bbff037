"""`/docs`: a page that renders openapi.json and tries it; no network and no build needed."""

from pathlib import Path

from fastapi import APIRouter, Request, Response

from plugin.api.cached import Document

PATH = "/docs"

_FILES = Path(__file__).parent.parent / "console"
_TYPES = {"docs.css": "text/css", "docs.js": "text/javascript"}
_HEADERS = {
    # The page holds a key that a person typed: nothing foreign runs in it, nothing leaves it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def router() -> APIRouter:
    """The door of the page and of the two files that it loads, read now."""
    door = APIRouter()
    _add(door, PATH, Document((_FILES / "docs.html").read_bytes(), "text/html"))
    for name, media_type in _TYPES.items():
        _add(door, f"{PATH}/{name}", Document((_FILES / name).read_bytes(), media_type))
    return door


def _add(door: APIRouter, path: str, document: Document) -> None:
    async def send(request: Request) -> Response:
        response = await document.send(request)
        response.headers.update(_HEADERS)
        return response

    door.add_api_route(path, send, methods=["GET", "HEAD"], include_in_schema=False)

"""Documents that are made once and asked for often: bytes, an ETag, 304, and who may read them."""

import hashlib
from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response

FRESH_SECONDS = 300
_PREFLIGHT_SECONDS = 86_400

CHATGPT = frozenset({"https://chatgpt.com", "https://chat.openai.com"})
"""The web origins whose pages fetch a plugin's documents themselves."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a door answers with, ready to be sent; pages of `origins` may read it too (CORS)."""

    body: bytes
    media_type: str
    origins: frozenset[str] = frozenset()
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", f'"{hashlib.sha256(self.body).hexdigest()[:32]}"')

    async def send(self, request: Request) -> Response:
        """The document, or 304 when the client names the copy that it has."""
        headers = {
            "ETag": self.etag,
            "Cache-Control": f"public, max-age={FRESH_SECONDS}",
            "X-Content-Type-Options": "nosniff",
            **self._sharing(request),
        }
        if _has(request.headers.get("if-none-match", ""), self.etag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)

    async def preflight(self, request: Request) -> Response:
        """What a browser asks before a page of another origin may read the document."""
        headers = self._sharing(request)
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": "GET, HEAD",
                "Access-Control-Allow-Headers": request.headers.get(
                    "access-control-request-headers", "*"
                ),
                "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
            }
        return Response(status_code=204, headers={"Allow": "GET, HEAD, OPTIONS", **headers})

    def _sharing(self, request: Request) -> dict[str, str]:
        if not self.origins:
            return {}
        origin = request.headers.get("origin", "")
        allowed = {"Access-Control-Allow-Origin": origin} if origin in self.origins else {}
        return {"Vary": "Origin", **allowed}


def add(router: APIRouter, path: str, document: Document) -> None:
    """Let `router` answer `path` with `document`."""
    router.add_api_route(path, document.send, methods=["GET", "HEAD"], include_in_schema=False)
    if document.origins:
        router.add_api_route(path, document.preflight, methods=["OPTIONS"], include_in_schema=False)


def _has(if_none_match: str, etag: str) -> bool:
    names = {name.strip().removeprefix("W/") for name in if_none_match.split(",")}
    return etag in names or "*" in names

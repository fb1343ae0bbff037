"""`/healthz`: the process answers. `/readyz`: it can do its work."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

router = APIRouter(include_in_schema=False)

_UNAVAILABLE = 503


@router.get("/healthz")
async def healthz() -> Response:
    """Whether the process is alive: a supervisor restarts it when this does not answer."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether requests should be sent here: the database answers."""
    ready = await request.app.state.services.ready()
    if not ready:
        return JSONResponse({"status": "the database does not answer"}, _UNAVAILABLE)
    return JSONResponse({"status": "ready"})

"""`/healthz`: the process answers. `/readyz`: it can do its work."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

router = APIRouter(include_in_schema=False)

_UNAVAILABLE = 503
_WELL = frozenset({"ready", "ok"})
"""The state of a part that works: the database or the embedded engine, an upstream."""

_OF_BREAKERS = {"closed": "ok", "open": "failing", "half-open": "probing"}
"""The state of an upstream by the state of its circuit breaker."""


@router.get("/healthz")
async def healthz() -> Response:
    """Whether the process is alive: a supervisor restarts it when this does not answer."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether requests should be sent here: the database answers. It tells of each part.

    An engine that is down takes the calls of its models along and nothing else.
    """
    services = request.app.state.services
    database = await services.ready()
    states = services.catalog.states()
    parts = {"database": "ready" if database else "down"}
    parts |= {name: _OF_BREAKERS.get(state, state) for name, state in states.items()}
    if not database:
        status = "the database does not answer"
        return JSONResponse({"status": status, "parts": parts}, _UNAVAILABLE)
    lame = [name for name, state in parts.items() if state not in _WELL]
    status = f"ready, but not all of it: {', '.join(lame)}" if lame else "ready"
    return JSONResponse({"status": status, "parts": parts})

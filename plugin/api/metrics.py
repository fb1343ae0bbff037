"""`/metrics`: the figures of all workers, for Prometheus, with a key that has the scope for it."""

from fastapi import APIRouter, Request, Response

from plugin.operations import operation
from plugin.telemetry.prometheus import exposed
from plugin.telemetry.telemetry import Telemetry

router = APIRouter(include_in_schema=False)


@router.get("/metrics", operation_id="read_metrics")
@operation(scope="metrics:read", metered=False)
async def read_metrics(request: Request) -> Response:
    """Read what the service measures, in the formats of Prometheus."""
    telemetry: Telemetry = request.app.state.telemetry
    accept = request.headers.get("accept", "")
    figures = await telemetry.figures()
    content, media_type = await telemetry.threads.run(exposed, figures, accept)
    return Response(content, headers={"content-type": media_type, "cache-control": "no-store"})

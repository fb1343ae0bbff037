"""What this service uses of uvicorn that uvicorn does not document, in one place.

Its connections and its server are subclasses of these; `tests/server/http/test_uvicorn_private.py`
names every attribute that they use, and fails first. `pyproject.toml` bounds the version.
"""

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

__all__ = ["HIGH_WATER_LIMIT", "HttpToolsProtocol", "RequestResponseCycle", "ServerState"]

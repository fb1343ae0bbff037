"""What is inside of a running service, for tests that change or read it there."""

from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient


def inside(client: TestClient) -> FastAPI:
    """Return the FastAPI application below the layers of the service behind `client`."""
    return fastapi_below(client.app)


def fastapi_below(layer: Any) -> FastAPI:
    """Return the FastAPI application below the layers of a service."""
    while not isinstance(layer, FastAPI):
        layer = layer._app
    return layer

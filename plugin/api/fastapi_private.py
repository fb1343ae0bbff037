"""What this service uses of FastAPI that FastAPI does not document, in one place.

`pyproject.toml` bounds the version, and `tests/api/test_fastapi_private.py` fails first.
"""

from fastapi._compat import ModelField, get_missing_field_error
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import RouteContext
from pydantic import TypeAdapter

__all__ = [
    "AsyncExitStackMiddleware",
    "DefaultPlaceholder",
    "Dependant",
    "ModelField",
    "adapter_of",
    "embeds_body_fields",
    "get_missing_field_error",
    "request_params_to_args",
]


def adapter_of(field: ModelField) -> TypeAdapter[object]:
    """Return pydantic's adapter of a field: it validates from bytes, and knows the schema."""
    return field._type_adapter  # noqa: SLF001 - there is no public way


def embeds_body_fields(route: RouteContext) -> bool:
    """Return whether the body of a route is an object with a member for each parameter."""
    return bool(route._embed_body_fields)  # noqa: SLF001 - there is no public name for it

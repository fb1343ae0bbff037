"""Which names the query string of an operation may hold; FastAPI ignores all others in silence."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi.routing import RouteContext
from pydantic import BaseModel

from plugin.api.fastapi_private import Dependant


class QueryNames:
    """The names that a route declares, for itself and through its dependencies."""

    def __init__(self, route: RouteContext) -> None:
        names = list(_declared(route.dependant))
        self._any = None in names
        self._names = frozenset(name for name in names if name is not None)

    def unknown(self, query: bytes) -> list[dict[str, Any]]:
        """One error, as pydantic would write it, for each name in `query` that nobody declared."""
        if self._any or not query:
            return []
        given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        return [
            {"type": "extra_forbidden", "loc": ("query", name), "msg": "unknown", "input": value}
            for name, value in given.items()
            if name not in self._names
        ]


def _declared(dependant: Dependant) -> Iterator[str | None]:
    """The declared names; None for a model that takes any."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _of_model(annotation)
        else:
            yield field.validation_alias or field.alias
    for dependency in dependant.dependencies:
        yield from _declared(dependency)


def _of_model(model: type[BaseModel]) -> Iterator[str | None]:
    if model.model_config.get("extra") == "allow":
        yield None
    for name, field in model.model_fields.items():
        alias = field.validation_alias or field.alias
        if not isinstance(alias, str | None):
            # Choices and paths of aliases: the model itself knows what it forbids.
            yield None
        if alias is None or model.model_config.get("validate_by_name"):
            yield name
        if isinstance(alias, str):
            yield alias

"""`/v1/models` and the older `/v1/engines`: what can be asked for, and what answers to it."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.convertors import PathConvertor, register_url_convertor

from plugin.api.v1.replies import EngineCard, EngineList, ModelCard, ModelList
from plugin.engines.catalog import Answering, Catalog
from plugin.errors import ModelNotFound
from plugin.operations import operation


class _Model(PathConvertor):
    """The name of a model, slashes and all."""

    regex = ".+"


class _Engine(PathConvertor):
    """The same, but for what is done with a model at the end of a path."""

    regex = r".+(?<!/completions)(?<!/edits)(?<!/embeddings)"


register_url_convertor("model", _Model())
register_url_convertor("engine", _Engine())

router = APIRouter(prefix="/v1", tags=["models"])

Name = Annotated[str, Path(description="The name of a model; slashes are part of it.")]


@router.get("/models", operation_id="list_models")
@operation(scope="gpt:use")
async def list_models(request: Request) -> ModelList:
    """List every name that can be asked for."""
    return ModelList(data=[_model(found) for found in _all(request)])


@router.get("/models/{model:model}", operation_id="retrieve_model")
@operation(scope="gpt:use", raises=(ModelNotFound,))
async def retrieve_model(model: Name, request: Request) -> ModelCard:
    """Say what answers to a name."""
    return _model(_catalog(request).find(model))


@router.get("/engines", operation_id="list_engines", deprecated=True)
@operation(scope="gpt:use")
async def list_engines(request: Request) -> EngineList:
    """List every name that can be asked for, in the old form."""
    return EngineList(data=[_engine(found) for found in _all(request)])


@router.get("/engines/{engine:engine}", operation_id="retrieve_engine", deprecated=True)
@operation(scope="gpt:use", raises=(ModelNotFound,))
async def retrieve_engine(engine: Name, request: Request) -> EngineCard:
    """Say what answers to a name, in the old form."""
    return _engine(_catalog(request).find(engine))


def _catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.state.services.catalog
    return catalog


def _all(request: Request) -> list[Answering]:
    catalog = _catalog(request)
    return [catalog.find(name) for name in catalog.names()]


def _model(found: Answering) -> ModelCard:
    model = found.model
    return ModelCard(
        id=found.requested,
        created=model.created,
        owned_by=model.owned_by,
        kind=model.kind,
        alias_of=model.id if found.is_alias else None,
        context_window=model.context_window,
        strengths=model.strengths,
        languages=list(model.languages),
        shutdown_date=model.retires,
    )


def _engine(found: Answering) -> EngineCard:
    return EngineCard(id=found.requested, owner=found.model.owned_by, created=found.model.created)

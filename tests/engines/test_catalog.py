import pytest

from plugin.engines.catalog import Catalog, Model
from plugin.engines.engine import Ask, Events, Whole
from plugin.errors import ModelNotFound


class Nobody:
    """An engine that is never asked."""

    async def answer(self, ask: Ask) -> Whole | Events:
        raise AssertionError(ask.path)


FIRST, SECOND = Nobody(), Nobody()
SMALL = Model("small", "text", "us", 2048)
VECTORS = Model("vectors", "embedding", "us")


@pytest.fixture
def catalog() -> Catalog:
    models = [(SMALL, FIRST), (VECTORS, FIRST), (Model("small", "text", "them"), SECOND)]
    return Catalog(models, {"gpt-4": "small", "vectors": "small", "lost": "nothing"})


def test_a_name_leads_to_model_and_engine(catalog: Catalog) -> None:
    own, alias = catalog.find("small"), catalog.find("gpt-4")
    assert (own.model, own.engine, own.is_alias) == (SMALL, FIRST, False)
    assert (alias.requested, alias.model, alias.is_alias) == ("gpt-4", SMALL, True)


def test_the_first_engine_of_a_model_answers(catalog: Catalog) -> None:
    assert catalog.find("small").engine is FIRST


def test_a_models_own_name_goes_before_an_alias(catalog: Catalog) -> None:
    assert catalog.find("vectors").model is VECTORS


@pytest.mark.parametrize("name", ["lost", "nothing", "", "x" * 5000])
def test_an_unknown_name(catalog: Catalog, name: str) -> None:
    assert catalog.get(name) is None
    with pytest.raises(ModelNotFound, match="GET /v1/models") as caught:
        catalog.find(name)
    assert caught.value.param == "model"
    assert len(caught.value.detail) < 500


def test_what_there_is_is_listed(catalog: Catalog) -> None:
    assert catalog.names() == ["small", "vectors", "gpt-4"]
    assert catalog.models() == [SMALL, VECTORS]
    assert catalog.aliases_of("small") == ["gpt-4"]
    assert catalog.of_kind("embedding") == [VECTORS]
    assert catalog.of_kind("image") == []

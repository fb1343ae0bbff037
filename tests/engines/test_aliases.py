import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.aliases import KNOWN, TEXT, VECTORS, alias_table
from plugin.engines.llama.process import models
from plugin.errors import CannotRun

NAMES = st.sampled_from("abcdef")


def test_the_embedded_models_bear_these_names() -> None:
    assert (models.TEXT.name, models.VECTORS.name) == (TEXT, VECTORS)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-3.5-turbo", TEXT),
        ("text-davinci-003", TEXT),
        ("code-davinci-edit-001", TEXT),
        ("text-embedding-ada-002", VECTORS),
    ],
)
def test_the_names_of_the_guide_are_answered_by_the_embedded_engine(name: str, model: str) -> None:
    assert alias_table({}, [TEXT, VECTORS])[name] == model


def test_without_the_embedded_engine_they_are_left_out() -> None:
    assert alias_table({}, ["qwen3-8b"]) == {}


def test_an_operator_overrides_and_adds() -> None:
    table = alias_table({"gpt-4": "qwen3-8b", "ours": "gpt-3.5-turbo"}, [TEXT, "qwen3-8b"])
    assert (table["gpt-4"], table["ours"], table["davinci"]) == ("qwen3-8b", TEXT, TEXT)


def test_images_and_moderation_have_no_stand_in() -> None:
    assert not [name for name in KNOWN if "dall" in name or "image" in name or "moderation" in name]


@pytest.mark.parametrize("given_", [{"ours": "lost"}, {"a": "b", "b": "a"}, {"a": "a"}])
def test_an_alias_that_leads_to_nothing_stops_the_start(given_: dict[str, str]) -> None:
    with pytest.raises(CannotRun, match=r"PLUGIN_MODEL_ALIASES: '\w+' stands for .* qwen3-8b"):
        alias_table(given_, ["qwen3-8b"])


@given(st.dictionaries(NAMES, NAMES), st.sets(NAMES))
def test_every_alias_leads_to_a_served_model_or_none_is_taken(
    names: dict[str, str], served: set[str]
) -> None:
    try:
        table = alias_table(names, served)
    except CannotRun:
        return
    assert set(table.values()) <= served
    assert set(names) <= set(table)

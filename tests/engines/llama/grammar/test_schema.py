"""Schemas as grammars: what they let through is valid, bounded, and something is let through."""

import json
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.llama.grammar.schema import Grammar, Impossible, grammar
from plugin.engines.llama.grammar.schema_form import Form, Oversized
from plugin.engines.llama.link import Link
from tests.engines.llama.grammar_sampler import Sampler
from tests.engines.llama.schemas import REFUSED, TAKEN, Collection, each_collection, schemas

ROOM = 3000


def written(schema: Any) -> tuple[Form, Grammar]:
    form = Form(schema)
    return form, grammar(form, room=ROOM)


def values(schema: Any, count: int = 30) -> list[Any]:
    """Values that the grammar of a schema lets through."""
    sampler, chance = Sampler(written(schema)[1].text), random.Random(1)  # noqa: S311 - values, not secrets
    return [json.loads(sampler.write(chance)) for _ in range(count)]


@given(schema=schemas, seed=st.integers(0, 9))
def test_what_an_exact_grammar_lets_through_is_valid(schema: Any, seed: int) -> None:
    try:
        form, found = written(schema)
    except (Impossible, Oversized):
        return
    sampler, chance = Sampler(found.text), random.Random(seed)  # noqa: S311 - values, not secrets
    for text in [found.shortest, *(sampler.write(chance) for _ in range(8))]:
        value = json.loads(text)
        assert len(text.encode()) <= found.longest
        assert text.startswith(("{", "[", '"')) or " " not in text
        if found.exact:
            assert form.validator.is_valid(value), (schema, text)


@each_collection
def test_every_tool_gets_an_exact_grammar(collection: Collection) -> None:
    chance = random.Random(1)  # noqa: S311 - values, not secrets
    refused, inexact = [], []
    count = 0
    for name, schema in collection.tools():
        count += 1
        try:
            form, found = written(schema)
        except Impossible:
            refused.append(name)
            continue
        assert found.longest <= ROOM, name
        if not found.exact:
            inexact.append(name)
        sampler = Sampler(found.text)
        for _ in range(3):
            value = json.loads(sampler.write(chance))
            assert not found.exact or form.validator.is_valid(value), name
    assert count >= collection.least
    assert refused == collection.impossible
    assert inexact == collection.inexact


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_schema_is_refused_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises((Oversized, Impossible)) as refused:
        written(REFUSED[name])
    assert len(str(refused.value)) < 300
    assert time.process_time() - began < 10  # a second at most, but for a busy machine


@pytest.mark.parametrize("name", TAKEN)
async def test_what_is_taken_the_engine_takes(name: str, real_link: Link) -> None:
    found = written(TAKEN[name])[1]
    body = {
        "messages": [{"role": "user", "content": "Give me values"}],
        "grammar": found.text,
        "max_tokens": 4,
        "temperature": 0,
    }
    answer = await real_link.post("text", "/v1/chat/completions", body)
    assert answer["choices"][0]["message"]["content"]


def test_properties_keep_their_order_and_required_ones_always_come() -> None:
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in "cab"},
        "required": ["a"],
    }
    found = {tuple(value) for value in values(schema)}
    assert found == {("a",), ("c", "a"), ("a", "b"), ("c", "a", "b")}


def test_what_is_required_but_not_described_comes_too() -> None:
    assert all("x" in value for value in values({"type": "object", "required": ["x"]}))


def test_no_end_is_left_open() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "array", "items": {}}}
    assert written(schema)[1].longest <= ROOM


def test_an_object_without_properties_is_empty() -> None:
    assert written({"type": "object", "properties": {}})[1].longest == len("{}")
    assert values({"type": "object"}, 5) == [{}] * 5


def test_parts_of_an_all_of_are_one() -> None:
    schema = {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"const": "x"}}, "required": ["b"]},
        ]
    }
    assert {tuple(value) for value in values(schema)} == {("a", "b")}


def test_a_null_that_json_schema_does_not_know_is_not_written() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean", "nullable": True}}}
    assert {value.get("a", True) for value in values(schema)} <= {True, False}


def test_recursion_ends() -> None:
    depths = {json.dumps(value).count("[") for value in values(TAKEN["a tree"], 60)}
    assert max(depths) > 0
    assert written(TAKEN["a tree"])[1].longest <= ROOM


@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        ({"minimum": 3, "maximum": 12}, {3, 12}, {2, 13}),
        ({"exclusiveMinimum": -2, "exclusiveMaximum": 2}, {-1, 0, 1}, {-2, 2}),
        ({"minimum": 95, "maximum": 105}, {95, 100, 105}, {94, 106}),
        ({"multipleOf": 7, "minimum": 1, "maximum": 30}, {7, 14, 21, 28}, {1, 30}),
    ],
)
def test_whole_numbers_in_bounds(
    bounds: dict[str, Any], inside: set[int], outside: set[int]
) -> None:
    found = set(values({"type": "integer", **bounds}, 400))
    assert inside <= found
    assert not outside & found


@pytest.mark.parametrize(
    ("pattern", "example"),
    [(r"^\d{3}$", "[0-9]"), (r"^\w+\.txt$", "txt"), (r"^(?:\+\d{1,3} )?\d+$", "[0-9]")],
)
def test_a_pattern_is_part_of_the_grammar(pattern: str, example: str) -> None:
    form, found = written({"type": "string", "pattern": pattern})
    assert found.exact
    assert example.strip("[]")[0] in found.text
    assert all(
        form.validator.is_valid(value) for value in values({"type": "string", "pattern": pattern})
    )


def test_a_pattern_that_cannot_be_written_is_checked() -> None:
    assert not written({"type": "string", "pattern": "^(?!x).*$"})[1].exact


def test_what_is_not_valid_is_not_exact() -> None:
    assert not written({"enum": []})[1].exact


@pytest.mark.parametrize("names", [{"type": "integer"}, {"$ref": "#/$defs/number"}, False])
def test_names_that_none_can_have(names: Any) -> None:
    schema = {"type": "object", "propertyNames": names, "$defs": {"number": {"type": "number"}}}
    inside = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    assert values({**inside, "$defs": schema["$defs"]}, 5) == [{"a": {}}] * 5

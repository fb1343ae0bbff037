"""Each limit that a schema can state is broken, and nothing but that limit."""

from typing import Any

import pytest

from plugin.harness.faults import FaultKind
from plugin.harness.mutate import Mutator
from tests.harness.good_calls import judged


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 1}, 5),
        ({"type": "number", "minimum": 0.5}, 5),
        ({"type": "integer", "maximum": 9}, 5),
        ({"type": "number", "exclusiveMinimum": 0.5}, 5),
        ({"type": "integer", "exclusiveMaximum": 9}, 5),
        ({"type": "integer", "multipleOf": 5}, 5),
        ({"type": "number", "multipleOf": 0.5}, 5),
        ({"type": "string", "minLength": 1}, "x"),
        ({"type": "string", "maxLength": 3}, ""),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "ABC"),
        ({"type": "string", "pattern": "^.*$"}, "ABC"),
        ({"type": "array", "minItems": 2}, [1, 2]),
        ({"type": "array", "maxItems": 3}, [1, 2]),
        ({"type": "array", "uniqueItems": True}, [1, 2]),
        ({"$ref": "#/$defs/limited"}, 5),
        ({"anyOf": [{"type": "integer", "maximum": 9}, {"type": "null"}]}, 5),
    ],
)
def test_a_limit_is_broken(schema: Any, value: Any) -> None:
    tool = {
        "type": "object",
        "properties": {"v": schema},
        "$defs": {"limited": {"type": "integer", "minimum": 1}},
    }
    one = judged(tool, {"v": value})
    made = one.mutations(Mutator(1, every=True))
    found = [mutated for mutated in made if mutated.mutation.mutation == "constraint"]
    if schema.get("pattern") == "^.*$":
        assert found == [], "every text matches"
        return
    (mutated,) = found
    (fault,) = one.verdict(mutated).faults
    assert (fault.fault, fault.pointer) == (FaultKind.CONSTRAINT, "/v")


def test_a_limit_that_would_fill_the_memory_is_left_alone() -> None:
    schema = {"type": "object", "properties": {"v": {"type": "string", "maxLength": 10**9}}}
    made = judged(schema, {"v": "x"}).mutations(Mutator(1, every=True))
    assert "constraint" not in {mutated.mutation.mutation for mutated in made}

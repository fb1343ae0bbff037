"""Mistakes in good calls: the right fault, found by the judge, and the same ones every time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plugin.harness.faults import FaultKind
from plugin.harness.json_text import NotJson, loads
from plugin.harness.mistakes import MISTAKES
from plugin.harness.mistakes.rates import PER_10_000_CALLS
from plugin.harness.mutate import Mutated, Mutator, is_good
from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.good_calls import Judged, collected, judged, sampled
from tests.harness.recordings import needs_corpus

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2},
        "days": {"type": "integer", "minimum": 1, "maximum": 16},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "hourly": {"type": "boolean"},
        "fields": {"type": "array", "items": {"type": "string"}},
        "near": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"place_name": {"type": "string"}, "weight": {"type": "number"}},
                "required": ["place_name"],
            },
        },
    },
    "required": ["city"],
}
ARGUMENTS: dict[str, Any] = {
    "city": "Paris",
    "days": 3,
    "unit": "celsius",
    "hourly": True,
    "fields": ["wind", "rain"],
    "near": [{"place_name": "Lyon", "weight": 0.5}, {"place_name": "Nice"}],
}


def is_found(one: Judged, mutated: Mutated) -> bool:
    """Whether the judge reports the fault that was to be found, where it was to be found."""
    wanted = (mutated.mutation.expect, mutated.mutation.pointer)
    return wanted in {(fault.fault, fault.pointer) for fault in one.verdict(mutated).faults}


def shares(source: Callable[[], Iterator[Judged]], mutator: Mutator) -> tuple[int, int, int]:
    """Good calls, mistakes in them, and how many of these the judge names as they are."""
    good = made = right = 0
    for one in source():
        good += sum(map(is_good, one.verdicts))
        for mutated in one.mutations(mutator):
            made += 1
            right += is_found(one, mutated)
    return good, made, right


def test_each_mistake_of_the_samples_is_found() -> None:
    good, made, right = shares(sampled, Mutator(1, every=True))
    assert good >= 20
    assert made >= 8 * good
    assert right == made


@pytest.mark.parametrize("how", [{"every": True}, {"count": 3}])
@pytest.mark.parametrize(
    ("source", "calls", "least"),
    [(sampled, 181, 1), pytest.param(collected, 1431, 0.999, marks=needs_corpus)],
    ids=["samples", "collection"],
)
def test_each_mistake_of_a_collection_is_found(
    source: Callable[[], Iterator[Judged]], calls: int, least: float, how: dict[str, Any]
) -> None:
    good, made, right = shares(source, Mutator(20, **how))
    assert good == calls
    assert made > 2 * good
    assert right >= least * made


def test_every_kind_of_mistake_is_made_somewhere() -> None:
    made = judged(SCHEMA, ARGUMENTS).mutations(Mutator(3, every=True))
    assert Counter(one.mutation.mutation for one in made) == Counter(PER_10_000_CALLS.keys())
    assert {one.mutation.expect for one in made} == set(FaultKind)


def test_the_table_of_rates_is_that_of_the_mistakes() -> None:
    assert PER_10_000_CALLS.keys() == MISTAKES.keys()
    assert list(PER_10_000_CALLS.values()) == sorted(PER_10_000_CALLS.values(), reverse=True)


def test_the_same_seed_makes_the_same_mistakes() -> None:
    one = judged(SCHEMA, ARGUMENTS)
    assert one.mutations(Mutator(7, 20)) == one.mutations(Mutator(7, 20))
    assert one.mutations(Mutator(7, 20)) != one.mutations(Mutator(8, 20))


def test_a_mistake_does_not_depend_on_what_was_made_before() -> None:
    together = Mutator(5)
    rows = [
        Reply(
            row, 0, "calls", (Call(None, "do", ARGUMENTS), Call(None, "do", {"city": "Oslo"})), None
        )
        for row in (1, 2)
    ]
    judge = judged(SCHEMA, ARGUMENTS).judge
    made = [list(together.mutations(row, judge.judge_reply(row), judge)) for row in rows]
    assert made[1] == list(Mutator(5).mutations(rows[1], judge.judge_reply(rows[1]), judge))
    assert [one.call for one in made[0]] == [0, 1]


def test_mistakes_come_as_often_as_models_make_them() -> None:
    one = judged(SCHEMA, ARGUMENTS)
    drawn: Counter[str] = Counter()
    rounds = 4_000
    for seed in range(rounds):
        drawn.update(mutated.mutation.mutation for mutated in one.mutations(Mutator(seed)))
    total = sum(PER_10_000_CALLS.values())
    for name, rate in PER_10_000_CALLS.items():
        expected = rounds * rate / total
        # five standard deviations of a count
        assert abs(drawn[name] - expected) < 5 * (expected**0.5) + 1, (name, drawn[name], expected)


def test_as_many_as_are_asked_for_and_none_twice() -> None:
    made = judged(SCHEMA, ARGUMENTS).mutations(Mutator(1, 40))
    assert len(made) == 40
    written = [json.dumps([call.name, call.arguments]) for one in made for call in one.calls[-1:]]
    assert len(set(written)) >= 39, "but a call made twice reads as the call itself"
    few = judged({"type": "object", "properties": {}}, {}, "ping").mutations(Mutator(1, 1_000))
    assert 5 < len(few) < 100


def test_arguments_stay_text_where_they_were_text() -> None:
    text = judged(SCHEMA, json.dumps(ARGUMENTS)).mutations(Mutator(2, every=True))
    assert all(isinstance(call.arguments, str) for one in text for call in one.calls)
    values = judged(SCHEMA, ARGUMENTS).mutations(Mutator(2, every=True))
    kept = [one for one in values if one.mutation.expect is not FaultKind.NOT_JSON]
    assert all(isinstance(call.arguments, dict) for one in kept for call in one.calls)


def test_a_call_twice_has_an_id_of_its_own() -> None:
    made = judged(SCHEMA, ARGUMENTS).mutations(Mutator(2, every=True))
    (twice,) = [one for one in made if one.mutation.mutation == "duplicate_parallel"]
    assert [call.id for call in twice.calls] == ["call_1", "call_1_again"]
    assert {len(one.calls) for one in made if one is not twice} == {1}


def test_varieties_of_what_is_no_json() -> None:
    one = judged(SCHEMA, json.dumps(ARGUMENTS))
    seen: dict[str, str] = {}
    for seed in range(200):
        for mutated in one.mutations(Mutator(seed, every=True)):
            if mutated.mutation.expect is FaultKind.NOT_JSON:
                seen[mutated.mutation.variety] = mutated.calls[0].arguments
    assert seen.keys() == {
        *("cut_off", "comment", "fence", "nan", "expression", "trailing_token", "python_repr")
    }
    for text in seen.values():
        with pytest.raises(NotJson):
            loads(text)
    assert "//" in seen["comment"]
    assert seen["fence"].startswith("```json\n{")
    assert ": NaN" in seen["nan"]
    assert ": 1/6" in seen["expression"]
    assert seen["trailing_token"].endswith("}<|call|>")
    assert seen["python_repr"].startswith("{'city': 'Paris'")
    assert json.dumps(ARGUMENTS).startswith(seen["cut_off"])


# -- where a mistake is none -----------------------------------------------------------------------


def kinds(schema: Any, arguments: Any, rounds: int = 20) -> set[str]:
    one = judged(schema, arguments)
    return {
        mutated.mutation.mutation
        for seed in range(rounds)
        for mutated in one.mutations(Mutator(seed, every=True))
    }


ANYTHING = {"duplicate_parallel", "not_json", "unknown_function"}


def test_an_open_object_takes_every_key() -> None:
    schema = {"type": "object", "properties": {"q": {}}, "additionalProperties": True}
    assert kinds(schema, {"q": "x"}) == ANYTHING
    assert kinds({"type": "object"}, {"q": "x"}) == ANYTHING
    assert kinds(True, {"q": "x"}) == ANYTHING


def test_what_the_types_allow_is_no_mistake() -> None:
    schema = {
        "type": "object",
        "properties": {"v": {"type": ["integer", "string", "boolean", "array", "null", "object"]}},
        "additionalProperties": True,
    }
    # 2.5 is all that is left
    assert kinds(schema, {"v": 1}) == ANYTHING | {"wrong_type"}


def test_another_branch_may_take_what_was_meant_as_a_mistake() -> None:
    schema = {
        "type": "object",
        "properties": {"v": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
    }
    assert "number_as_string" not in kinds(schema, {"v": 5})
    assert "word_for_number" not in kinds(schema, {"v": 5})


def test_null_is_no_mistake_in_strict_tools() -> None:
    function = {"name": "do", "parameters": SCHEMA, "strict": True}
    strict = ({"type": "function", "function": function},)
    one = judged(SCHEMA, ARGUMENTS)
    reply = Reply(1, 0, "openai_chat", one.reply.calls, strict)
    made = Mutator(1, every=True).mutations(reply, one.verdicts, one.judge)
    assert "null_for_optional" not in {mutated.mutation.mutation for mutated in made}


def test_where_names_are_shown_later_no_function_is_known_to_be_unknown() -> None:
    one = judged(SCHEMA, ARGUMENTS)
    open_ended = Judged(one.reply, one.verdicts, one.judge, all_known=False)
    made = open_ended.mutations(Mutator(1, every=True))
    assert "unknown_function" not in {mutated.mutation.mutation for mutated in made}


def test_of_two_keys_that_are_alike_neither_is_misspelt() -> None:
    properties = {"userId": {"type": "string"}, "user_id": {"type": "string"}}
    schema = {"type": "object", "properties": properties}
    assert "near_miss_key" not in kinds(schema, {"user_id": "x"})
    values = {"type": "string", "enum": ["a-b", "a_b"]}
    assert "enum_case" not in kinds({"type": "object", "properties": {"v": values}}, {"v": "a_b"})


def test_a_tool_with_an_argument_named_arguments() -> None:
    schema = {"type": "object", "properties": {"Arguments": {"type": "object"}}}
    assert "wrapped" not in kinds(schema, {"Arguments": {}})


def test_wrong_calls_are_left_alone() -> None:
    one = judged(SCHEMA, ARGUMENTS)
    calls = (Call(None, "do", {}), Call(None, "gone", {}), Call(None, "do", ARGUMENTS))
    reply = Reply(1, 0, "calls", calls, None)
    made = Mutator(1).mutations(reply, one.judge.judge_reply(reply), one.judge)
    assert [mutated.call for mutated in made] == [2]


@pytest.mark.parametrize("depth", [1, 5, 60])
def test_at_any_depth(depth: int) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    arguments: dict[str, Any] = {"n": 1}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"in": {"type": "array", "items": schema}}}
        arguments = {"in": [arguments]}
    one = judged(schema, arguments)
    made = one.mutations(Mutator(1, every=True))
    (number,) = [m for m in made if m.mutation.mutation == "number_as_string"]
    assert number.mutation.pointer == "/in/0" * depth + "/n"
    assert all(is_found(one, mutated) for mutated in made)

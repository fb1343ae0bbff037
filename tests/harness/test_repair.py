"""Repairs undo what was meant to be undone, exactly, and never touch a good call."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plugin.harness.judge import Judge, strict_names
from plugin.harness.mutate import Mutator, is_good
from plugin.harness.repair import Mode, Repaired, Repairs
from plugin.messages import Call
from tests.harness.good_calls import Judged, collected, sampled
from tests.harness.recordings import needs_corpus
from tests.harness.test_mutate import ARGUMENTS, SCHEMA

Source = Callable[[], Iterator[Judged]]

each_source = pytest.mark.parametrize(
    "source", [sampled, pytest.param(collected, marks=needs_corpus)], ids=["samples", "collection"]
)


def repaired(arguments: Any, mode: Mode, schema: Any = SCHEMA) -> Repaired | None:
    judge = Judge({"do": schema})
    return Repairs(judge, mode).repair(judge.judge([Call(None, "do", arguments)])[0])


def written(value: Any) -> str:
    """Values as text: what is the same here is the same in type and order, too."""
    return json.dumps(value)


# -- the collections -------------------------------------------------------------------------------


def undone(source: Source, undo: str, mode: Mode) -> tuple[int, int]:
    """Mistakes that a mode is to undo, and how many it takes back to exactly the call."""
    made = exact = 0
    for one in source():
        strict = strict_names(one.reply.tools)
        repairs = Repairs(one.judge, mode)
        for mutated in one.mutations(Mutator(3, every=True)):
            if mutated.mutation.undo == undo:
                made += 1
                found = repairs.repair(one.verdict(mutated), strict=strict)
                original = one.verdicts[mutated.call].arguments
                exact += found is not None and written(found.arguments) == written(original)
    return made, exact


UNDOING = [("lossless", Mode.LOSSLESS), ("lossless", Mode.LENIENT), ("lenient", Mode.LENIENT)]


@pytest.mark.parametrize(("undo", "mode"), UNDOING)
def test_mistakes_in_the_samples_are_undone(undo: str, mode: Mode) -> None:
    made, exact = undone(sampled, undo, mode)
    assert made > 200
    assert exact == made


@needs_corpus
@pytest.mark.parametrize(("undo", "mode"), UNDOING)
def test_mistakes_in_the_collection_are_undone(undo: str, mode: Mode) -> None:
    made, exact = undone(collected, undo, mode)
    assert made > 1_000
    assert exact >= 0.999 * made


@each_source
def test_no_good_call_is_changed(source: Source) -> None:
    good = 0
    for one in source():
        for mode in (Mode.LOSSLESS, Mode.LENIENT):
            for verdict in filter(is_good, one.verdicts):
                good += 1
                assert Repairs(one.judge, mode).repair(verdict) is None
    assert good > 360


@each_source
def test_lossless_repairs_leave_alone_what_would_be_a_guess(source: Source) -> None:
    """What no lossless repair may touch: another call than the original must not come out."""
    wrong: Counter[str] = Counter()
    for one in source():
        repairs = Repairs(one.judge, Mode.LOSSLESS)
        for mutated in one.mutations(Mutator(9, every=True)):
            found = repairs.repair(one.verdict(mutated))
            original = one.verdicts[mutated.call].arguments
            if found is not None and written(found.arguments) != written(original):
                wrong[f"{mutated.mutation.mutation} {mutated.mutation.variety}"] += 1
    assert wrong == {}


# -- one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected", "repair"),
    [
        ({"city": "Paris", "days": "3"}, {"city": "Paris", "days": 3}, '`/days`: "3" read as 3'),
        ({"city": "Oslo", "hourly": "True"}, {"city": "Oslo", "hourly": True}, "`/hourly`"),
        ({"City": "Oslo"}, {"city": "Oslo"}, "`/City`: read as `city`"),
        ({"city": "Oslo", "unit": "CELSIUS"}, {"city": "Oslo", "unit": "celsius"}, "`/unit`"),
        ({"city": "Oslo", "fields": '["wind"]'}, {"city": "Oslo", "fields": ["wind"]}, "`/fields`"),
        ({"arguments": {"city": "Oslo"}}, {"city": "Oslo"}, "`/arguments`: what it holds"),
        ({"arguments": '{"city": "Oslo"}'}, {"city": "Oslo"}, "`/arguments`: what it holds"),
        ('```json\n{"city": "Oslo"}\n```', {"city": "Oslo"}, "the Markdown fence"),
        ('```\n{"city": "Oslo"}\n```\n', {"city": "Oslo"}, "the Markdown fence"),
        ('{"city": "Oslo"}<|call|>', {"city": "Oslo"}, "`<|call|>` at their end"),
        ('"{\\"city\\": \\"Oslo\\"}"', {"city": "Oslo"}, "the arguments: "),
        (
            {"city": "Oslo", "near": [{"placeName": "Moss", "weight": "0.5"}]},
            {"city": "Oslo", "near": [{"place_name": "Moss", "weight": 0.5}]},
            "`/near/0/weight`",
        ),
    ],
)
def test_without_guessing(arguments: Any, expected: Any, repair: str) -> None:
    assert repaired(arguments, Mode.OFF) is None
    for mode in (Mode.LOSSLESS, Mode.LENIENT):
        found = repaired(arguments, mode)
        assert found is not None
        assert written(found.arguments) == written(expected)
        assert any(repair in line for line in found.repairs), found.repairs


def test_several_at_once() -> None:
    inner = {"City": "Oslo", "days": "3", "fields": '["wind"]', "unit": "Celsius"}
    found = repaired(f"```json\n{json.dumps({'arguments': inner})}\n```<|call|>", Mode.LOSSLESS)
    assert found is not None
    assert found.arguments == {"city": "Oslo", "days": 3, "fields": ["wind"], "unit": "celsius"}
    assert len(found.repairs) == 7


@pytest.mark.parametrize(
    ("arguments", "expected", "repair"),
    [
        ({"city": "Oslo", "fields": "wind"}, {"city": "Oslo", "fields": ["wind"]}, "`/fields`"),
        ({"city": "Oslo", "days": None}, {"city": "Oslo"}, "null for an optional argument"),
        ({"city": "Oslo", "note": "x"}, {"city": "Oslo"}, "`/note`: the unknown key was dropped"),
        (
            {"city": "Oslo", "near": {"place_name": "Moss"}},
            {"city": "Oslo", "near": [{"place_name": "Moss"}]},
            "`/near`",
        ),
    ],
)
def test_by_guessing(arguments: Any, expected: Any, repair: str) -> None:
    assert repaired(arguments, Mode.LOSSLESS) is None
    found = repaired(arguments, Mode.LENIENT)
    assert found is not None
    assert written(found.arguments) == written(expected)
    assert repair in found.repairs[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"city": None},
        {"city": 5},
        {"city": "Oslo", "days": "three"},
        {"city": "Oslo", "days": "1,000"},
        {"city": "Oslo", "days": " 3"},
        {"city": "Oslo", "days": "3.5"},
        {"city": "Oslo", "days": "99"},
        {"city": "Oslo", "hourly": "yes"},
        {"city": "Oslo", "unit": "kelvin"},
        {"city": "Oslo", "fields": ""},
        {"city": "Oslo", "fields": '["wind"'},
        {"city": "Oslo", "City": "Rome"},
        {"arguments": "Oslo"},
        {"arguments": {}},
        '{"city": "Oslo"',
        '{"city": "Oslo", "days": 1/6}',
        "{'city': 'Oslo'}",
        "```json\n{'city': 'Oslo'}\n```",
        "```",
        "<|call|>",
        [],
        5,
    ],
)
def test_what_nobody_can_know_is_left_as_it_is(arguments: Any) -> None:
    assert repaired(arguments, Mode.LOSSLESS) is None


def test_lenient_repairs_never_empty_a_call() -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}}
    found = repaired({"arguments": {"q": "x"}}, Mode.LENIENT, schema)
    assert found is not None
    assert found.arguments == {"q": "x"}


def test_a_call_is_repaired_whole_or_not_at_all() -> None:
    assert repaired({"days": "3"}, Mode.LENIENT) is None, "the city is still missing"


def test_a_key_that_is_there_already_is_not_written_over() -> None:
    assert repaired({"city": "Oslo", "City": "Rome"}, Mode.LOSSLESS) is None
    found = repaired({"city": "Oslo", "Days": 1, "days": 2}, Mode.LENIENT)
    assert found is None, "which of the two was meant?"


def test_of_two_values_that_are_alike_none_is_taken() -> None:
    schema = {"type": "object", "properties": {"v": {"enum": ["a-b", "a_b"]}}}
    assert repaired({"v": "A B"}, Mode.LOSSLESS, schema) is None
    assert repaired({"v": "A_B"}, Mode.LENIENT, schema) is None


def test_text_that_reads_as_a_number_stays_text_where_text_is_allowed() -> None:
    schema = {
        "type": "object",
        "properties": {"v": {"type": ["integer", "string"]}, "n": {"type": "integer"}},
    }
    found = repaired({"v": "5", "n": "5"}, Mode.LOSSLESS, schema)
    assert found is not None
    assert found.arguments == {"v": "5", "n": 5}


def test_numbers_of_any_size_stay_exact() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    found = repaired({"id": "12345678901234567890123"}, Mode.LOSSLESS, schema)
    assert found is not None
    assert found.arguments == {"id": 12345678901234567890123}


def test_what_is_the_matter_with_the_reply_is_not_repaired() -> None:
    judge = Judge({"do": SCHEMA})
    calls = [Call(None, "do", ARGUMENTS), Call(None, "do", ARGUMENTS), Call(None, "Do", ARGUMENTS)]
    for verdict in judge.judge(calls):
        assert Repairs(judge, Mode.LENIENT).repair(verdict) is None


def test_nulls_of_strict_tools_stand_in_no_way() -> None:
    judge, strict = Judge({"do": SCHEMA}), frozenset({"do"})
    text = '```json\n{"city": "Oslo", "days": null, "hourly": "true"}\n```'
    (verdict,) = judge.judge([Call(None, "do", text)], strict=strict)
    found = Repairs(judge, Mode.LOSSLESS).repair(verdict, strict=strict)
    assert found is not None
    assert found.arguments == {"city": "Oslo", "hourly": True}


def test_a_call_that_needs_a_hundred_repairs_is_no_such_call() -> None:
    near = [{"place_name": "x", "weight": "1"} for _ in range(101)]
    assert repaired({"city": "Oslo", "near": near}, Mode.LOSSLESS) is None
    assert repaired({"city": "Oslo", "near": near[:50]}, Mode.LOSSLESS) is not None

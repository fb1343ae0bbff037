"""Our own functions and questions have the qualities that their README names."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from plugin.contract.schema.validation import mended, validator
from tests.engines.llama.schemas import OURS, bfcl
from tests.operations.function_library import CALLS, own_functions, own_rows

FUNCTIONS = {one["name"]: one for one in own_functions()}
ROWS = own_rows()
MAPS = ("properties", "patternProperties", "$defs", "definitions")
BFCL = (
    "irrelevance",
    "live_irrelevance",
    "live_multiple",
    "live_simple",
    "multiple",
    "parallel",
    "parallel_multiple",
    "simple_python",
)


def given(accepted: Any) -> Any:
    """The first accepted value of each argument; those that may be left out are."""
    if isinstance(accepted, list):
        return [given(value) for value in accepted]
    if not isinstance(accepted, dict):
        return accepted
    present = {key: [one for one in values if one != ""] for key, values in accepted.items()}
    return {key: given(values[0]) for key, values in present.items() if "" not in accepted[key]}


def parts(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from parts(one)


def words(schemas: list[Any]) -> set[str]:
    """The keywords and the types of schemas; names of properties and definitions are neither."""
    found: set[str] = set()
    waiting = list(schemas)
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            found |= part.keys()
            found |= {part["type"]} if isinstance(part.get("type"), str) else set()
            for key, value in part.items():
                waiting += value.values() if key in MAPS else [value]
    return found


def test_there_are_enough_of_each_kind() -> None:
    assert len(FUNCTIONS) == len(own_functions()) >= 150
    assert len({row["id"] for row in ROWS}) == len(ROWS) >= 250
    assert len(list(OURS.tools())) == 210
    phrased = Counter(row["phrasing"] for row in ROWS)
    assert (phrased["plain"], phrased["free"]) == (65, 190)
    calls = Counter(min(len(row["ground_truth"]), 2) for row in ROWS)
    assert (calls[0], calls[2]) == (20, 12)
    assert sum("." in name for name in FUNCTIONS) > 100


def test_documents_are_written_in_the_words_of_python() -> None:
    found = words([one["parameters"] for one in FUNCTIONS.values()])
    assert {"dict", "float", "tuple", "any", "optional", "enum", "default"} <= found
    assert not {"object", "number"} & found


def test_tools_and_exchanges_use_what_the_documents_do_not() -> None:
    found = words([schema for name, schema in OURS.tools() if name not in FUNCTIONS])
    several = "anyOf oneOf allOf $ref $defs definitions const format pattern prefixItems multipleOf"
    bounds = "minimum maximum exclusiveMinimum minLength maxLength minItems maxItems uniqueItems"
    others = "title nullable patternProperties additionalProperties $schema OBJECT STRING"
    assert set(f"{several} {bounds} {others}".split()) <= found


def test_accepted_calls_are_valid() -> None:
    for row in ROWS:
        offered = {one["name"]: one for one in row["function"]}
        for call in row["ground_truth"]:
            [(name, accepted)] = call.items()
            parameters = offered[name]["parameters"]
            assert set(accepted) == set(parameters["properties"]), row["id"]
            assert validator(mended(parameters)[0]).is_valid(given(accepted)), row["id"]


@pytest.mark.skipif(not CALLS.is_dir(), reason="the collection of real calls is not here")
def test_no_name_and_no_sentence_is_the_leaderboard_s() -> None:
    real = [row for name in BFCL for row in bfcl(name)]
    assert not FUNCTIONS.keys() & {one["name"] for row in real for one in row["function"]}
    ours = [*FUNCTIONS.values(), *(row["question"] for row in ROWS)]
    assert not runs(ours) & runs(real)


def runs(rows: list[Any], length: int = 6) -> set[tuple[str, ...]]:
    """All runs of so many words in descriptions and questions."""
    found = set()
    for part in parts(rows):
        for text in (
            (part.get("description"), part.get("content")) if isinstance(part, dict) else ()
        ):
            said = re.findall(r"\w+", text.lower()) if isinstance(text, str) else []
            found |= {tuple(said[at : at + length]) for at in range(len(said) - length + 1)}
    return found

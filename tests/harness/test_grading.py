"""What a service says of a mistake, as services say it, and what counts as a refusal."""

import json
from typing import Any

import pytest

from plugin.contract.pointer import MISSING
from plugin.harness.exchange import Response
from plugin.harness.faults import FaultKind
from plugin.harness.grading import Grade, Refusal, Wording, refusal_of, wording_of
from plugin.harness.mutate import Mutation

DAYS = {"type": "integer", "minimum": 1, "maximum": 16}
UNIT = {"type": "string", "enum": ["celsius", "fahrenheit"]}
PLACE = {"type": "object", "properties": {"city": {}, "days": {}}}

ACTED_ON = Wording(names_argument=True, says_expected=True, gives_example=True)
VAGUE = Wording(names_argument=False, says_expected=False, gives_example=False)


def mutation(
    expect: FaultKind, pointer: str, schema: Any, meant: Any = MISSING, variety: str = ""
) -> Mutation:
    return Mutation(str(expect), variety, pointer, expect, "", (schema,), meant)


def answer(body: Any, status: int = 422) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, (("content-type", "application/json"),), content)


WORD = mutation(FaultKind.WORD_FOR_NUMBER, "/days", DAYS, 3)
CHOICE = mutation(FaultKind.ENUM_INVENTED, "/unit", UNIT, "celsius")
ABSENT = mutation(FaultKind.MISSING_REQUIRED, "/place/city", {"type": "string"}, "Oslo")
EXTRA = mutation(FaultKind.UNKNOWN_KEY, "/note", PLACE)
MISSPELT = mutation(FaultKind.NEAR_MISS_KEY, "/City", PLACE, "city")
LIMIT = mutation(FaultKind.CONSTRAINT, "/days", DAYS, 3, "maximum")
BROKEN = mutation(FaultKind.NOT_JSON, "", {})


@pytest.mark.parametrize(
    ("made", "body", "names", "says", "example"),
    [
        # FastAPI
        (
            WORD,
            {
                "detail": [
                    {
                        "type": "int_parsing",
                        "loc": ["query", "days"],
                        "msg": "Input should be a valid integer, unable to parse string",
                        "input": "three",
                    }
                ]
            },
            *(True, True, False),
        ),
        (
            EXTRA,
            {"detail": [{"loc": ["body", "note"], "msg": "Extra inputs are not permitted"}]},
            *(True, False, False),
        ),
        # Django REST framework
        (ABSENT, {"place": {"city": ["This field is required."]}}, True, True, False),
        (WORD, {"days": ["A valid integer is required."]}, True, True, False),
        # Express
        (
            CHOICE,
            {"message": "unit must be one of the following values: celsius, fahrenheit"},
            *(True, True, True),
        ),
        (LIMIT, {"error": '"days" must be less than or equal to 16'}, True, True, False),
        # Go
        (
            WORD,
            {"error": "json: cannot unmarshal string into Go struct field Ask.days of type int"},
            *(True, True, False),
        ),
        (BROKEN, {"error": "invalid character '}' looking for beginning of value"}, *(False,) * 3),
        (BROKEN, {"error": "the body is not JSON: it ends too early"}, True, True, False),
        # plain text and pages
        (CHOICE, b"unit: unknown value", True, False, False),
        (CHOICE, b"<h1>Bad Request</h1>", False, False, False),
        (MISSPELT, {"detail": "Unknown argument `City`; did you mean `city`?"}, True, True, True),
        # nothing at all
        (WORD, {"detail": "Validation failed"}, False, False, False),
        (WORD, b"", False, False, False),
        # longer words that hold the right ones
        (WORD, {"detail": "the weekdays have no pointer"}, False, False, False),
    ],
)
def test_what_services_say(
    made: Mutation, body: Any, names: bool, says: bool, example: bool
) -> None:
    assert wording_of(answer(body), made) == Wording(names, says, example)


def test_the_keys_of_an_error_name_no_argument() -> None:
    made = mutation(FaultKind.WRONG_TYPE, "/status", {"type": "string"}, "open")
    body = {"type": "about:blank", "title": "Bad", "status": 422, "detail": "wrong"}
    assert not wording_of(answer(body), made).names_argument
    assert wording_of(answer({**body, "detail": "`status` is no text"}), made).names_argument
    assert wording_of(answer({"errors": {"status": ["is no text"]}}), made).names_argument
    assert wording_of(answer({"status": ["is no text"]}), made).names_argument


def test_the_item_of_a_list_is_named_by_the_list() -> None:
    made = mutation(FaultKind.WRONG_TYPE, "/tags/12", {"type": "string"}, "x")
    assert wording_of(answer({"detail": "`tags[12]` must be a text"}), made).can_be_acted_on


def test_repeated_items() -> None:
    made = mutation(FaultKind.CONSTRAINT, "/tags", {"uniqueItems": True}, [1], "uniqueItems")
    assert wording_of(answer({"detail": "tags holds duplicates"}), made).can_be_acted_on


def test_a_pattern_in_json_is_read_without_its_escapes() -> None:
    made = mutation(FaultKind.CONSTRAINT, "/id", {"pattern": r"^\d+$"}, "1", "pattern")
    assert wording_of(answer({"detail": r"id has to match ^\d+$"}), made).says_expected


@pytest.mark.parametrize(
    ("status", "wording", "in_path", "refusal"),
    [
        (422, VAGUE, False, Refusal.REFUSED),
        (400, VAGUE, False, Refusal.REFUSED),
        (404, VAGUE, True, Refusal.REFUSED),
        (404, ACTED_ON, False, Refusal.REFUSED),
        (404, VAGUE, False, Refusal.ACCEPTED),
        (409, VAGUE, False, Refusal.ACCEPTED),
        (200, ACTED_ON, True, Refusal.ACCEPTED),
        (204, VAGUE, False, Refusal.ACCEPTED),
        (302, VAGUE, False, Refusal.ACCEPTED),
        (500, ACTED_ON, True, Refusal.FAILED),
        (503, VAGUE, False, Refusal.FAILED),
    ],
)
def test_refusals(status: int, wording: Wording, in_path: bool, refusal: Refusal) -> None:
    assert refusal_of(answer({}, status), wording, in_path=in_path) is refusal


@pytest.mark.parametrize(
    ("grade", "is_good"),
    [
        (Grade(Refusal.REFUSED, "none", ACTED_ON), True),
        (Grade(Refusal.REFUSED, "unknown", ACTED_ON), True),
        (Grade(Refusal.REFUSED, "none", VAGUE), False),
        (Grade(Refusal.REFUSED, "changed", ACTED_ON), False),
        (Grade(Refusal.ACCEPTED, "none"), False),
        (Grade(Refusal.FAILED, "none"), False),
        (Grade(Refusal.NOT_EXPRESSIBLE), True),
        (Grade(Refusal.BY_HARNESS), True),
        (Grade(Refusal.NOT_SENT), True),
        (Grade(Refusal.REPAIRED), True),
    ],
)
def test_good_grades(grade: Grade, is_good: bool) -> None:
    assert grade.is_good is is_good
    assert grade.in_words

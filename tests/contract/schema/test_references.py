import pytest

from plugin.contract import pointer
from plugin.contract.schema.references import References, Unresolvable

DOCUMENT = {
    "a b": {"c~d": {"e/f": [10, {"$ref": "#/x"}]}},
    "x": {"$ref": "#/y"},
    "y": {"type": "string", "$anchor": "why"},
    "one": {"$ref": "#/two"},
    "two": {"$ref": "#/one"},
    "schemas": {
        "Pet": {
            "$id": "https://example.com/pet",
            "$defs": {"tag": {"type": "string"}},
            "properties": {"tag": {"$ref": "#/$defs/tag"}},
        }
    },
    "%41": 1,
}


@pytest.fixture
def references() -> References:
    return References(DOCUMENT)


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("#", ""),
        ("#/x", "/x"),
        ("#/a%20b/c~0d/e~1f/0", "/a b/c~0d/e~1f/0"),
        ("#/%2541", "/%41"),
        ("#why", "/y"),
        ("https://example.com/pet", "/schemas/Pet"),
        ("https://example.com/pet#/$defs/tag", "/schemas/Pet/$defs/tag"),
    ],
)
def test_locates(references: References, reference: str, found: str) -> None:
    assert references.locate(reference) == found


def test_inside_an_identified_schema_a_fragment_is_relative_to_it(references: References) -> None:
    base = "https://example.com/pet"
    assert references.locate("#/$defs/tag", base) == "/schemas/Pet/$defs/tag"
    assert references.locate("#/x", base) == "/x"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("#/nope", "leads nowhere"),
        ("#/a b/c~0d/e~1f/2", "leads nowhere"),
        ("#nope", "leads nowhere"),
        ("other.yaml#/x", "lies outside"),
        ("https://example.org/x.json", "lies outside"),
        (7, "not text"),
        (None, "not text"),
    ],
)
def test_says_why_it_cannot(references: References, reference: object, reason: str) -> None:
    with pytest.raises(Unresolvable, match=reason):
        references.locate(reference)


def test_follows_chains_and_stops_at_circles(references: References) -> None:
    assert references.follow({"$ref": "#/x"}, "/here") == (DOCUMENT["y"], "/y")
    with pytest.raises(Unresolvable, match="circle"):
        references.follow({"$ref": "#/one"}, "/here")


def test_pointers_escape_and_look_up() -> None:
    made = pointer.child(pointer.child("", "a/b~c"), 3)
    assert made == "/a~1b~0c/3"
    assert pointer.steps(made) == ["a/b~c", "3"]
    assert pointer.look_up({"a/b~c": [0, 1, 2, "x"]}, made) == "x"
    assert pointer.look_up([1], "/1") is pointer.MISSING
    assert pointer.look_up("text", "/0") is pointer.MISSING

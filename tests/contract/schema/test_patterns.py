import pytest

from plugin.contract.schema.patterns import compilable


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("^[a-z]+$", "^[a-z]+$"),
        ("^(?!x).*$", "^(?!x).*$"),
        (r"^\p{L}+$", r"^\p{L}+$"),
        (r"^[\w-.]+$", r"^[\w\-.]+$"),
        (r"\Aab\Z", "^ab$"),
        ("^{[0-9]{4}$", r"^\{[0-9]{4}$"),
        ("/^a+$/i", "^a+$"),
        ("^/v1/$", "^/v1/$"),
        ("[a-z", None),
        ("(", None),
    ],
)
def test_puts_patterns_into_words_of_the_engine(pattern: str, found: str | None) -> None:
    assert compilable(pattern) == found

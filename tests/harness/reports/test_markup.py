"""Nothing that was text becomes markup."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from plugin.harness.reports.markup import Html, join, tag, text


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.data.append(data)


def read(markup: str) -> _Read:
    reader = _Read()
    reader.feed(markup)
    reader.close()
    return reader


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_comes_back_as_text(given_text: str) -> None:
    found = read(tag("p", given_text, title=given_text))
    assert found.tags == [("p", [("title", given_text)])]
    assert "".join(found.data) == given_text


def test_control_characters_are_shown() -> None:
    assert text("a\x1b[31m\x00") == "a\\x1b[31m\\x00"


def test_markup_stays_markup() -> None:
    assert tag("p", tag("b", "<"), "&") == "<p><b>&lt;</b>&amp;</p>"
    assert join("<", Html("<br>")) == "&lt;<br>"


def test_attributes() -> None:
    made = tag("p", class_="a", data_x="1", hidden=True, title=None, open=False, viewBox="0 0")
    assert made == '<p class="a" data-x="1" hidden viewBox="0 0"></p>'

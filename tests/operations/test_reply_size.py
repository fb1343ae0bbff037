import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.operations import Reply
from plugin.operations.reply_size import cut, fitting, written


class Line(Reply):
    text: str


@pytest.mark.parametrize(
    ("text", "size"), [("", 2), ("ab", 4), ('"', 4), ("\n", 4), ("\x00", 8), ("é", 3), ("🥛", 4)]
)
def test_what_is_written_is_counted_as_utf_16_counts(text: str, size: int) -> None:
    assert written(text) == size


@given(st.text(st.sampled_from('a"\n\x01é长🥛'), max_size=200), st.integers(2, 300))
def test_a_cut_is_a_beginning_that_fits_and_hardly_less(text: str, room: int) -> None:
    part = cut(text, room)
    assert text.startswith(part)
    assert written(part) <= room
    if part != text and written(text) <= 6 * len(text):
        assert part or room < 8


@given(st.lists(st.text(max_size=20)), st.integers(0, 300))
def test_those_that_fit_are_the_first_ones_and_at_least_one(texts: list[str], room: int) -> None:
    lines = [Line(text=text) for text in texts]
    taken = fitting(lines, room)
    assert taken == lines[: len(taken)]
    assert taken or not lines
    if len(taken) > 1:
        listed = [line.model_dump() for line in taken]
        assert len(json.dumps(listed, ensure_ascii=False, separators=(",", ":"))) - 1 <= room

"""The most tokens that a call can take."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.api.v1.reservation import bound
from plugin.gate.prices import Bound


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hello"}], **more}


@pytest.mark.parametrize(
    ("body", "tokens_out"),
    [
        (chat(), 4096),
        (chat(max_tokens=10), 10),
        (chat(max_completion_tokens=20, n=3), 60),
        (chat(max_tokens=10**9), 4096),
        ({"prompt": "x", "max_tokens": 16, "best_of": 4, "n": 2}, 64),
        ({"prompt": ["x", "y"], "max_tokens": 16}, 32),
        ({"prompt": [1, 2, 3], "max_tokens": 16}, 16),
        ({"prompt": [[1], [2], [3]], "max_tokens": 16}, 48),
        ({"prompt": [], "max_tokens": 16}, 16),
        ({"input": "some text"}, 0),
        ({"input": "some text", "instruction": "mend it"}, 4096),
    ],
)
def test_the_answer_is_bounded_by_what_was_asked_and_by_the_model(
    body: dict[str, Any], tokens_out: int
) -> None:
    assert bound(body, 4096).tokens_out == tokens_out


def test_where_the_model_is_not_known_well_an_answer_has_a_bound_too() -> None:
    assert bound(chat(), None).tokens_out == 16_384
    assert bound(chat(max_tokens=100_000), None).tokens_out == 100_000


@given(st.text(max_size=2000))
def test_a_text_has_no_more_tokens_than_bytes(text: str) -> None:
    content = chat(messages=[{"role": "user", "content": text}])
    if "\ud800" <= max(text, default="") <= "\udfff":
        return
    assert bound(content, None).tokens_in >= len(text.encode())
    assert bound(content, 512) == Bound(min(512, bound(content, None).tokens_in), 512)

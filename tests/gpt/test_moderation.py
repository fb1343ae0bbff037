import asyncio

import pytest

from plugin.gpt.moderation import COVERED, NOT_COVERED, Phrases, flagged, result
from tests.gpt.moderation_sentences import HARMLESS, HOSTILE, LATER_HARMLESS, LATER_HOSTILE


@pytest.fixture(scope="module")
def phrases() -> Phrases:
    return Phrases()


def look(phrases: Phrases, *texts: str) -> list[set[str]]:
    return asyncio.run(flagged(phrases, texts))


def test_most_of_what_is_hostile_is_found(phrases: Phrases) -> None:
    assert sum(map(bool, look(phrases, *HOSTILE))) >= 0.9 * len(HOSTILE)
    assert sum(map(bool, look(phrases, *LATER_HOSTILE))) >= 0.7 * len(LATER_HOSTILE)


@pytest.mark.parametrize("text", [*HARMLESS, *LATER_HARMLESS])
def test_what_only_looks_hostile_passes(phrases: Phrases, text: str) -> None:
    assert look(phrases, text) == [set()]


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("I am going to kill you", {"harassment", "harassment/threatening", "violence"}),
        ("You are an idiot.", {"harassment"}),
        ("I hate all immigrants.", {"hate"}),
        ("杀光所有犹太人", {"hate", "hate/threatening", "violence"}),
        ("你真是个废物", {"harassment"}),
        ("  YOU\u200b ARE\n an  idiot ", {"harassment"}),
        ("You’re a loser", {"harassment"}),
        ("Ｙｏｕ ａｒｅ ａｎ ｉｄｉｏｔ", {"harassment"}),
        ('"You are an idiot."', {"harassment"}),
        ('Translate "You are an idiot" into French.', set()),
        ("A long day. You are an idiot! It rains.", {"harassment"}),
        ("", set()),
        ("\ud800 \x00", set()),
    ],
)
def test_each_kind_has_its_categories(phrases: Phrases, text: str, categories: set[str]) -> None:
    assert look(phrases, text) == [categories]


def test_what_is_not_covered_is_never_judged() -> None:
    told = result({"hate"})
    assert told["flagged"] is True
    scores, inputs = told["category_scores"], told["category_applied_input_types"]
    assert isinstance(scores, dict)
    assert isinstance(inputs, dict)
    assert set(scores) == set(inputs) == {*COVERED, *NOT_COVERED}
    assert all(inputs[name] == ["text"] for name in COVERED)
    assert all(inputs[name] == [] and scores[name] == 0 for name in NOT_COVERED)
    assert scores["hate"] == 1
    assert result(set())["flagged"] is False


async def test_the_event_loop_goes_on(phrases: Phrases) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(tick())
    await flagged(phrases, ["You are so. " * 2_000])
    beside.cancel()
    assert ticks > 400

"""What full-text search sees of a text, and of a question."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.operations.documents.store import namespace
from plugin.operations.documents.words import Phrase, phrases, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Reset the Password", ["reset", "the", "password"]),
        ("max_tokens=5, GPT-4o", ["max", "tokens", "5", "gpt", "4o"]),
        ("Café Müller STRASSE straße", ["cafe", "muller", "strasse", "strasse"]),
        ("ＡＢＣ ﬁne", ["abc", "fine"]),
        ("重置密码", ["重置", "置密", "密码", "码"]),
        ("茶", ["茶"]),
        ("使用GPT模型v2", ["使用", "用", "gpt", "模型", "型", "v2"]),
        ("ひらがなカタカナ", [*("ひら", "らが", "がな", "なカ", "カタ", "タカ", "カナ", "ナ")]),
        ("서울 시청", ["서울", "울", "시청", "청"]),
        ("Привет, мир", ["привет", "мир"]),
        ("ゲーム", ["ゲー", "ーム", "ム"]),
        ("。，！🥛 --", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


@given(st.text())
def test_a_word_holds_nothing_that_means_something_to_a_query(text: str) -> None:
    for word in [*words(text), *(word for phrase in phrases(text) for word in phrase.words)]:
        assert word.replace("_", "").isalnum() or not word.isascii()
        assert not set(word) & set("\"'*^():{}+- \t\n\x00")


def _asked(question: str, *, single: bool) -> list[str]:
    return [" ".join(one.words) for one in phrases(question) if one.is_prefix is single]


def test_a_question_is_its_words_and_those_side_by_side() -> None:
    assert _asked("How do I find lost PASSWORDS?", single=False) == [
        *("find", "lost", "find lost", "passwords", "lost passwords")
    ]
    assert _asked("怎么找回密码？", single=False) == [
        *("找回", "回密", "找回 回密", "密码", "回密 密码")
    ]
    assert _asked("怎么找回密码？", single=True) == list("找回密码")


def test_what_stands_alone_counts_most() -> None:
    counts = {" ".join(one.words): one.weight for one in phrases("lost 密码 password")}
    assert counts["lost"] == counts["密码"] == 1
    assert 0 < counts["密"] < 1
    assert "lost password" not in counts


def test_a_single_character_is_the_beginning_of_a_word() -> None:
    assert phrases("茶") == [Phrase(("茶",), weight=1.0, is_prefix=True)]


@pytest.mark.parametrize("question", ["Who are you?", "the", "是什么", "我们"])
def test_a_question_of_function_words_alone_still_asks(question: str) -> None:
    assert phrases(question)


def test_a_long_question_is_bounded() -> None:
    assert len(phrases("词句" * 500)) <= 60
    assert len(phrases(" ".join(f"w{number}" for number in range(300)))) <= 60


STEMMED = """
    running runs ran relational conditional rationally valency hesitancy digitizer
    conformably radically differently analogously vietnamization predication operator
    feudalism decisiveness hopefulness callousness formality sensitivity sensibility
    triplicate formative electricity electrical hopeful goodness revival allowance
    inference airliner adjustable irritant replacement adjustment dependent adoption
    communism activate effective bowdlerize sky happy flies dies agreed plastered motoring
    sized hopping tanned falling hissing fizzed failing filing using use ions abed aged
    eyes yes ties caresses ponies cats probate rate cease
"""


def test_the_mark_of_a_caller_changes_no_stem() -> None:
    """FTS5 stems a marked word to the mark and the stem, so that one form finds another."""
    mark = namespace("key_0123456789")
    forms = STEMMED.split()
    plain, marked = _stems(forms), _stems([mark + form for form in forms])
    together = {word: {other for other in forms if plain[other] == plain[word]} for word in forms}
    for word, same in together.items():
        found = {one for one in forms if marked[mark + one] == marked[mark + word]}
        assert found == same, word
    assert plain["running"] == plain["runs"] == "run"


def test_marks_differ_and_are_as_long_as_each_other() -> None:
    marks = {namespace(f"key_{number}") for number in range(1000)}
    assert len(marks) == 1000
    assert all(mark.isdecimal() and len(mark) == 10 for mark in marks)


def _stems(forms: list[str]) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE VIRTUAL TABLE held USING fts5(body, tokenize='porter ascii')")
        database.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(held, instance)")
        database.executemany("INSERT INTO held (body) VALUES (?)", [(form,) for form in forms])
        rows = database.execute("SELECT doc, term FROM terms").fetchall()
    return {forms[doc - 1]: term for doc, term in rows}

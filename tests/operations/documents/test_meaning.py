"""Documents found by meaning: by those whose they are, as long as a model answers."""

import asyncio
import sqlite3
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin import services
from plugin.app import create_app
from plugin.errors import ContextLengthExceeded, EngineUnavailable
from plugin.operations.documents import meaning as documents_meaning
from plugin.operations.documents.meaning import Meaning, open_meaning
from plugin.operations.documents.nearness import nearest
from plugin.settings import Settings
from tests.operations.concepts import Concepts
from tests.operations.test_documents import CallAs, found, query, store
from tests.pools.threads import some_threads

DOWN = EngineUnavailable("The engine is being started; try again.")


@pytest.fixture
def embedder() -> Concepts:
    return Concepts()


@pytest.fixture
def settings(tmp_path: Path, embedder: Concepts, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(services, "open_embedder", lambda _catalog, _threads: embedder)
    return Settings(_env_file=None, data_dir=tmp_path, log_level="error")


@pytest.fixture
def service(settings: Settings) -> Iterator[TestClient]:
    """A service of each test's own: the tests count what is in its database."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        yield client


def counted(directory: Path, statement: str) -> int:
    with closing(sqlite3.connect(directory / "plugin.db")) as database:
        (count,) = database.execute(statement).fetchone()
    return int(count)


def vectors(directory: Path) -> int:
    return counted(directory, "SELECT count(*) FROM document_vectors WHERE length(vector) > 0")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_means_the_same_is_found_without_a_common_word(caller: Any) -> None:
    store(
        caller,
        {"id": "cars", "text": "Our automobile is washed weekly."},
        {"id": "fruit", "text": "Pears are sold by weight."},
        {"id": "other", "text": "The office opens at nine."},
    )
    [result] = query(caller, {"query": "Where is my vehicle?"})["results"]
    assert [chunk["metadata"]["document_id"] for chunk in result["results"]] == ["cars"]
    assert 0 < result["results"][0]["score"] <= 1
    assert found(caller, "fruit") == ["fruit"]
    assert found(caller, "zebra crossing") == ["other"]  # all that it says is that it is neither


def test_words_and_meaning_count_together(caller: Any) -> None:
    store(
        caller,
        {"id": "near", "text": "Driving lessons."},
        {"id": "both", "text": "The vehicle stands in garage seven."},
        {"id": "word", "text": "Sheds, cellars and garage keys."},
    )
    assert found(caller, "the car in the garage") == ["both", "near", "word"]


def test_a_title_is_part_of_what_a_chunk_means(caller: Any) -> None:
    store(caller, {"id": "a", "text": "Within 30 days.", "metadata": {"title": "Reimbursement"}})
    assert found(caller, "money") == ["a"]


def test_a_question_that_the_model_cannot_read_goes_by_its_words(
    caller: Any, embedder: Concepts
) -> None:
    store(caller, {"id": "zh", "text": "忘记密码时请重置。"}, {"id": "en", "text": "A car."})
    embedder.asked.clear()
    assert found(caller, "重置密码") == ["zh"]
    assert found(caller, "购买车辆") == []
    assert embedder.asked == []


def test_callers_find_only_their_own_by_meaning(call_as: CallAs) -> None:
    ann, bob = call_as("ann"), call_as("bob")
    store(ann, {"id": "hers", "text": "Her automobile."})
    store(bob, {"id": "his", "text": "Plums."})
    for _ in range(2):  # read, and then held
        assert found(bob, "vehicle", top_k=20) == []
        assert found(bob, "vehicle", filter={"document_id": "hers"}) == []
        assert found(ann, "vehicle", top_k=20) == ["hers"]
        assert found(ann, "fruit", top_k=20) == []
    ann.delete("/documents/hers")
    store(bob, {"id": "new", "text": "His automobile."})  # may take the number of what is gone
    assert found(ann, "vehicle", top_k=20) == []
    assert found(bob, "vehicle", top_k=20) == ["new"]


def test_filters_hold_for_what_is_found_by_meaning(caller: Any) -> None:
    store(
        caller,
        *(
            {"id": source, "text": "An automobile.", "metadata": {"source": source}}
            for source in ("email", "chat")
        ),
        {"id": "none", "text": "An automobile."},
    )
    assert found(caller, "vehicle", filter={"source": "Chat"}) == ["chat"]
    assert found(caller, "vehicle", filter={"document_id": "none"}) == ["none"]
    assert found(caller, "vehicle", filter={"start_date": "2026-01-01"}) == []
    assert sorted(found(caller, "vehicle")) == ["chat", "email", "none"]


def test_vectors_go_with_what_they_are_made_of(caller: Any, tmp_path: Path) -> None:
    store(caller, {"id": "a", "text": "An automobile."}, {"id": "b", "text": "Plums."})
    assert vectors(tmp_path) == 2
    store(caller, {"id": "a", "text": "Pears."})
    assert found(caller, "vehicle") == []
    assert sorted(found(caller, "fruit")) == ["a", "b"]
    caller.delete("/documents/a")
    caller.delete("/documents/b")
    assert counted(tmp_path, "SELECT count(*) FROM document_vectors") == 0
    assert found(caller, "fruit") == []


def test_a_store_without_a_model_is_a_store(
    caller: Any, embedder: Concepts, tmp_path: Path
) -> None:
    embedder.fails = DOWN
    assert store(caller, {"id": "a", "text": "An automobile."})["ids"] == ["a"]
    assert found(caller, "automobile") == ["a"]
    assert found(caller, "vehicle") == []
    assert vectors(tmp_path) == 0
    embedder.fails = None
    wait_until(lambda: vectors(tmp_path) == 1)
    wait_until(lambda: found(caller, "vehicle") == ["a"])


def test_what_a_store_cannot_wait_for_follows(caller: Any, tmp_path: Path) -> None:
    text = "".join(f"Plums of the kind {number}.\n\n" + "Again. " * 100 for number in range(30))
    store(caller, {"id": "long", "text": text})
    parts = counted(tmp_path, "SELECT count(*) FROM document_chunks")
    assert parts >= 30
    wait_until(lambda: vectors(tmp_path) == parts)
    assert found(caller, "fruit") == ["long"] * 3


def test_what_was_stored_before_gets_its_vectors(
    caller: Any, embedder: Concepts, tmp_path: Path
) -> None:
    store(caller, {"id": "a", "text": "An automobile."})
    embedder.model = "another"
    assert found(caller, "vehicle") == []
    store(caller, {"id": "b", "text": "x " * 8000})
    wait_until(lambda: found(caller, "vehicle") == ["a"])
    by_the_other = "SELECT count(*) FROM document_vectors WHERE model = 'another'"
    wait_until(lambda: counted(tmp_path, by_the_other) == vectors(tmp_path))


def test_a_model_whose_vectors_change_in_length_is_asked_anew(
    caller: Any, embedder: Concepts, tmp_path: Path
) -> None:
    store(caller, {"id": "a", "text": "An automobile."}, {"id": "b", "text": "Plums."})
    assert found(caller, "vehicle") == ["a"]
    embedder.width = 9
    assert found(caller, "the automobile") == ["a"]  # by its words
    wait_until(lambda: found(caller, "vehicle") == ["a"])
    other = "SELECT count(*) FROM document_vectors WHERE length(vector) = 36"
    assert counted(tmp_path, other) == 2


def test_vectors_of_two_lengths_do_not_stop_a_search(
    caller: Any, embedder: Concepts, tmp_path: Path
) -> None:
    store(caller, {"id": "a", "text": "An automobile."})
    embedder.width = 9
    store(caller, {"id": "b", "text": "A car."})
    assert found(caller, "car") == ["b"]
    wait_until(lambda: sorted(found(caller, "vehicle")) == ["a", "b"])
    assert vectors(tmp_path) == 2


def test_a_service_under_load_ends_with_a_vector_for_each_chunk(
    caller: Any, tmp_path: Path
) -> None:
    def work(number: int) -> None:
        text = f"Plums {number}.\n\n" * (100 * (number % 3) + 1)
        body = {"documents": [{"id": "same", "text": text}, {"id": str(number), "text": text}]}
        assert caller.post("/documents", json=body).status_code == 200
        assert found(caller, "plums", top_k=20)
        if number % 2:
            assert caller.delete(f"/documents/{number}").status_code == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(12)))
    chunks = counted(tmp_path, "SELECT count(*) FROM document_chunks")
    wait_until(lambda: vectors(tmp_path) == chunks)
    assert counted(tmp_path, "SELECT count(*) FROM document_vectors") == chunks


async def test_a_model_that_fails_is_left_alone_for_a_while(database: AsyncEngine) -> None:
    now = 1000.0
    embedder = Concepts(fails=DOWN)
    meaning = Meaning(database, embedder, some_threads(), clock=lambda: now, rest=5)
    assert await meaning.of_questions(["car"]) == {}
    assert await meaning.of_questions(["car"]) == {}
    assert embedder.asked == ["car"]
    now, embedder.fails = 1006.0, None
    assert list(await meaning.of_questions(["car"])) == ["car"]


async def test_a_slow_model_is_not_waited_for(database: AsyncEngine) -> None:
    embedder = Concepts(takes=60)
    meaning = Meaning(database, embedder, some_threads(), patience=0.01)
    assert await meaning.of_questions(["car", "plums"]) == {}


async def test_a_question_that_the_model_refuses_does_not_put_it_to_rest(
    database: AsyncEngine,
) -> None:
    too_long = ContextLengthExceeded("Too long.")
    meaning = Meaning(database, Concepts(longest=20, too_long=too_long), some_threads())
    assert await meaning.of_questions(["car " * 20]) == {}
    assert list(await meaning.of_questions(["car"])) == ["car"]


async def test_questions_that_cannot_be_read_go_without(database: AsyncEngine) -> None:
    embedder = Concepts()
    made = await Meaning(database, embedder, some_threads()).of_questions(["car", "车", "plums"])
    assert list(made) == ["car", "plums"]
    assert embedder.asked == ["car", "plums"]


async def test_cosines_are_worked_out_off_the_event_loop(
    database: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def watched(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return nearest(*arguments)

    monkeypatch.setattr(documents_meaning, "nearest", watched)
    async with database.connect() as connection:
        cosines = await Meaning(database, Concepts(), some_threads()).nearest(
            connection, "nobody", array("f", [1.0]), (), None
        )
    assert cosines == {}
    assert threads
    assert threading.get_ident() not in threads


async def test_without_a_model_or_numpy_words_alone_count(
    database: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_meaning(database, None, some_threads()) as meaning:
        assert meaning is None
    async with open_meaning(database, Concepts(), some_threads()) as meaning:
        assert meaning is not None
    monkeypatch.setattr(documents_meaning, "find_spec", lambda _name: None)
    async with open_meaning(database, Concepts(), some_threads()) as meaning:
        assert meaning is None
    assert len(asyncio.all_tasks()) == 1

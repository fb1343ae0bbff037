"""Documents over HTTP: stored, found, read and deleted, by those whose they are alone."""

import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.operations.documents import store as documents_store
from plugin.operations.reply_size import LARGEST_REPLY
from plugin.settings import Settings
from tests.operations import bilingual

Json = dict[str, Any]
CallAs = Callable[..., Any]


def store(client: Any, *documents: Json) -> Json:
    reply = client.post("/documents", json={"documents": list(documents)})
    assert reply.status_code == 200, reply.text
    stored: Json = reply.json()
    return stored


def query(client: Any, *queries: Json) -> Json:
    reply = client.post("/documents/query", json={"queries": list(queries)})
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


def found(client: Any, question: str, **options: Any) -> list[str]:
    [result] = query(client, {"query": question, **options})["results"]
    return [chunk["metadata"]["document_id"] for chunk in result["results"]]


def test_a_document_is_stored_found_read_and_deleted(caller: Any) -> None:
    metadata = {
        "title": "Refund policy",
        "source": "handbook",
        "source_id": "hb-12",
        "url": "https://example.com/refunds",
        "created_at": "2026-03-01T10:00:00.5+01:00",
        "author": "李伟",
    }
    text = "Goods can be returned within 30 days."
    stored = store(caller, {"id": "refunds", "text": text, "metadata": metadata})
    assert stored == {
        "ids": ["refunds"],
        "message": "Stored 1 document in 1 chunk; it is new.",
    }
    known = metadata | {"created_at": "2026-03-01T09:00:00.500000Z"}

    [result] = query(caller, {"query": "How can I return a good?"})["results"]
    [chunk] = result["results"]
    assert chunk == {
        "id": "refunds_0",
        "text": text,
        "score": chunk["score"],
        "metadata": known | {"document_id": "refunds"},
    }
    assert chunk["score"] > 0

    read = caller.get("/documents/refunds").json()
    assert read == {
        "id": "refunds",
        "text": text,
        "metadata": known,
        "updated_at": read["updated_at"],
        "next_start": None,
        "note": None,
    }

    gone = caller.delete("/documents/refunds")
    assert gone.status_code == 200
    assert gone.json() == {
        "id": "refunds",
        "message": "Deleted document refunds (Refund policy), 1 chunk.",
    }
    assert found(caller, "returned goods") == []


def test_an_id_is_made_where_none_came(caller: Any) -> None:
    stored = store(caller, {"text": "one"}, {"text": "two"})
    assert len(set(stored["ids"])) == 2
    assert [caller.get(f"/documents/{one}").json()["text"] for one in stored["ids"]] == [
        *("one", "two")
    ]
    assert stored["message"] == "Stored 2 documents in 2 chunks; 2 new, 0 replaced."


def test_storing_an_id_again_replaces_its_chunks(caller: Any) -> None:
    store(caller, {"id": "a", "text": "apples\n\n" + "pears. " * 500})
    stored = store(caller, {"id": "a", "text": "plums"}, {"id": "b", "text": "grapes"})
    assert stored["message"] == "Stored 2 documents in 2 chunks; 1 new, 1 replaced."
    assert found(caller, "apples pears") == []
    assert found(caller, "plums") == ["a"]
    assert caller.get("/documents/a").json()["text"] == "plums"


def test_the_index_holds_exactly_the_chunks(caller: Any, settings: Settings) -> None:
    def rewrite(number: int) -> int:
        text = f"plums {number} 李子\n\n" * (100 * (number % 3) + 1)
        body = {"documents": [{"id": "same", "text": text}, {"id": str(number), "text": text}]}
        status: int = caller.post("/documents", json=body).status_code
        return status

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(rewrite, range(16))) == {200}
    for number in range(0, 16, 2):
        caller.delete(f"/documents/{number}")
    assert sorted(found(caller, "李子", top_k=20, filter={"document_id": "3"})) == ["3"]
    with closing(sqlite3.connect(settings.data_dir / "plugin.db")) as database:
        # compares the index with what it was made from, and raises when they differ
        database.execute("INSERT INTO document_index (document_index) VALUES ('integrity-check')")
        held = database.execute("SELECT sum(chunk_count) FROM documents").fetchone()
        assert held == database.execute("SELECT count(*) FROM document_chunks").fetchone()


def test_of_two_with_one_id_the_last_counts(caller: Any) -> None:
    stored = store(caller, {"id": "a", "text": "first"}, {"id": "a", "text": "second"})
    assert stored["ids"] == ["a", "a"]
    assert caller.get("/documents/a").json()["text"] == "second"
    assert found(caller, "first") == []


def test_what_is_known_is_replaced_as_well(caller: Any) -> None:
    store(caller, {"id": "a", "text": "plums", "metadata": {"title": "Fruit", "author": "Ann"}})
    store(caller, {"id": "a", "text": "plums"})
    assert set(caller.get("/documents/a").json()["metadata"].values()) == {None}
    assert found(caller, "fruit") == []


def test_nothing_is_stored_when_one_of_them_cannot_be(caller: Any, settings: Settings) -> None:
    store(caller, {"id": "old", "text": "as it was"})
    with closing(sqlite3.connect(settings.data_dir / "plugin.db")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON document_chunks WHEN new.text = 'that cannot be' "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    documents = [{"id": "old", "text": "changed"}, {"id": "z", "text": "that cannot be"}]
    assert caller.post("/documents", json={"documents": documents}).status_code == 500
    assert caller.get("/documents/old").json()["text"] == "as it was"
    assert found(caller, "changed") == []
    assert found(caller, "as it was") == ["old"]
    # The trigger stays: no other test stores that text.


def test_nothing_is_stored_when_one_of_them_is_wrong(caller: Any) -> None:
    body = {"documents": [{"id": "a", "text": "fine"}, {"id": "b", "text": ""}]}
    assert caller.post("/documents", json=body).status_code == 422
    assert caller.get("/documents/a").status_code == 404


FILTERED = [
    {"source": "email", "author": "Ann", "created_at": "2026-01-10"},
    {"source": "Email", "author": "Bob", "created_at": "2026-01-20T18:00:00+08:00"},
    {"source": "chat", "author": "ANN", "created_at": "2026-01-31T23:59:59.999999Z"},
    {"source": "chat", "source_id": "s-1"},
]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "0123"),
        ({"source": "email"}, "01"),
        ({"author": "ann"}, "02"),
        ({"author": "an"}, ""),
        ({"source": "chat", "author": "Ann"}, "2"),
        ({"source_id": "s-1"}, "3"),
        ({"document_id": "1"}, "1"),
        ({"document_id": "none"}, ""),
        ({"start_date": "2026-01-20"}, "12"),
        ({"start_date": "2026-01-20T10:00:00Z"}, "12"),
        ({"start_date": "2026-01-20T10:00:00.000001Z"}, "2"),
        ({"end_date": "2026-01-10"}, "0"),
        ({"end_date": "2026-01-31"}, "012"),
        ({"end_date": "2026-01-09T23:59:59Z"}, ""),
        ({"start_date": "2026-01-11", "end_date": "2026-01-20"}, "1"),
        ({"source": None, "start_date": None}, "0123"),
    ],
)
def test_filters_narrow_a_search(caller: Any, wanted: Json, expected: str) -> None:
    store(
        caller,
        *({"id": str(at), "text": "plums", "metadata": one} for at, one in enumerate(FILTERED)),
    )
    assert "".join(sorted(found(caller, "plums", filter=wanted, top_k=20))) == expected


def test_the_right_document_comes_first(caller: Any) -> None:
    store(caller, *bilingual.documents())
    answered = list(bilingual.ask(lambda body: query(caller, *body["queries"])))
    wrong = [one for one in answered if one.place != 0]
    assert len(answered) >= 40
    assert bilingual.recall(answered, 1) >= bilingual.FLOOR_AT_1, wrong
    assert bilingual.recall(answered, 3) >= bilingual.FLOOR_AT_3, wrong


def test_what_others_store_hardly_changes_the_order(call_as: CallAs) -> None:
    ann, bob = call_as("ann"), call_as("bob")
    store(ann, *bilingual.documents())
    before = [one.place for one in bilingual.ask(lambda body: query(ann, *body["queries"]))]
    # rare for ann, and everywhere in what bob has
    words = "password leave returned 年假 密码 退货 hotel certificate. "
    store(bob, *({"id": str(number), "text": words * 20} for number in range(50)))
    after = [one.place for one in bilingual.ask(lambda body: query(ann, *body["queries"]))]
    assert sum(was != now for was, now in zip(before, after, strict=True)) <= 1


def test_a_long_store_does_not_hold_the_event_loop(
    caller: Any, service: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    prepare = documents_store.prepare

    def watched(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return prepare(*arguments)

    monkeypatch.setattr(documents_store, "prepare", watched)
    portal = service.portal
    assert portal is not None
    store(caller, {"text": "plums " * 30_000})
    assert threads
    assert portal.call(threading.get_ident) not in threads


def test_callers_do_not_see_or_change_each_others_documents(call_as: CallAs) -> None:
    ann, bob = call_as("ann"), call_as("bob")
    store(ann, {"id": "shared", "text": "Ann's secret plums"}, {"id": "hers", "text": "plums"})
    store(bob, {"id": "shared", "text": "Bob's pears"})
    assert found(bob, "plums") == []
    assert found(bob, "plums", filter={"document_id": "hers"}) == []
    assert bob.get("/documents/hers").status_code == 404
    assert bob.delete("/documents/hers").status_code == 404
    assert bob.delete("/documents/shared").status_code == 200
    assert ann.get("/documents/shared").json()["text"] == "Ann's secret plums"
    assert sorted(found(ann, "plums")) == ["hers", "shared"]


def test_each_operation_asks_for_its_scope(call_as: CallAs) -> None:
    reader, writer = call_as("reader", "documents:read"), call_as("writer", "documents:write")
    store(writer, {"id": "a", "text": "plums"})
    question = {"queries": [{"query": "plums"}]}
    assert reader.post("/documents/query", json=question).status_code == 200
    assert reader.get("/documents/a").status_code == 404
    for reply, scope in (
        (reader.post("/documents", json={"documents": [{"text": "x"}]}), "documents:write"),
        (reader.delete("/documents/a"), "documents:write"),
        (writer.get("/documents/a"), "documents:read"),
        (writer.post("/documents/query", json=question), "documents:read"),
    ):
        assert reply.status_code == 403
        assert scope in reply.json()["detail"]


def test_an_unknown_id_is_answered_with_what_to_do(caller: Any) -> None:
    for reply in (caller.get("/documents/nothing"), caller.delete("/documents/nothing")):
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["detail"] == (
            "There is no document nothing. Call query_documents; the document_id of a result is "
            "one that exists."
        )


@pytest.mark.parametrize(
    "identifier", ["文档-1", "a:b", "<x@y.z>", "100%", "q?#&=+", "querys", "🥛"]
)
def test_odd_ids_can_be_read_and_deleted(caller: Any, identifier: str) -> None:
    store(caller, {"id": identifier, "text": "plums"})
    path = f"/documents/{quote(identifier, safe='')}"
    assert caller.get(path).json()["id"] == identifier
    assert caller.delete(path).json()["id"] == identifier


@pytest.mark.parametrize("path", ["%00", "%ED%A0%80", "%FF", "a%2Fb", ".a", "%20", "x" * 129])
def test_an_id_that_cannot_be_is_refused(caller: Any, path: str) -> None:
    for reply in (caller.get(f"/documents/{path}"), caller.delete(f"/documents/{path}")):
        assert reply.status_code in {404, 422}
        assert reply.json()["detail"]


@pytest.mark.parametrize("path", ["short?start=-1", "short?start=x", "short?from=1"])
def test_a_wrong_start_is_refused(caller: Any, path: str) -> None:
    assert caller.get(f"/documents/{path}").status_code == 422


@pytest.mark.parametrize(
    ("document", "argument"),
    [
        ({}, "documents[0].text"),
        ({"text": ""}, "documents[0].text"),
        ({"text": "x" * 200_001}, "documents[0].text"),
        ({"text": "a\x00b"}, "documents[0].text"),
        ({"text": "\ud83d"}, "body"),
        ({"text": 5}, "documents[0].text"),
        ({"text": ["x"]}, "documents[0].text"),
        *(
            ({"text": "x", "id": one}, "documents[0].id")
            for one in ("", "a/b", "..", "a b", "\n", "a\n", "query")
        ),
        ({"text": "x", "id": 7}, "documents[0].id"),
        ({"text": "x", "id": "x" * 129}, "documents[0].id"),
        ({"text": "x", "title": "y"}, "documents[0].title"),
        ({"text": "x", "metadata": "y"}, "documents[0].metadata"),
        ({"text": "x", "metadata": {"autor": "y"}}, "documents[0].metadata.autor"),
        ({"text": "x", "metadata": {"author": "y\x1b"}}, "documents[0].metadata.author"),
        *(
            ({"text": "x", "metadata": {"created_at": one}}, "documents[0].metadata.created_at")
            for one in ("yesterday", "", 1700000000, "1700000000", "2026-02-30", True)
        ),
        (
            {"text": "x", "metadata": {"created_at": "0001-01-01T00:00:00+14:00"}},
            "documents[0].metadata.created_at",
        ),
    ],
)
def test_a_wrong_document_is_refused_by_name(caller: Any, document: Json, argument: str) -> None:
    content = json.dumps({"documents": [document]})
    reply = caller.post("/documents", content=content, content_type="application/json")
    assert reply.status_code == 422, reply.text
    assert [error["argument"] for error in reply.json()["errors"]] == [argument]


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"queries": []}, {"queries": [{}]}, {"queries": [{"query": ""}]}),
        *({"query": "plums"}, {"queries": "plums"}, {"queries": ["plums"]}),
        {"queries": [{"query": "x"}] * 11},
        {"queries": [{"query": "x" * 1001}]},
        *({"queries": [{"query": "x", "top_k": k}]} for k in (0, 21, "3", 2.5, True)),
        {"queries": [{"query": "x", "filter": {"start_date": "soon"}}]},
        {"queries": [{"query": "x", "filter": {"since": "2026-01-01"}}]},
    ],
)
def test_a_wrong_query_is_refused(caller: Any, body: Json) -> None:
    assert caller.post("/documents/query", json=body).status_code == 422


def test_an_unknown_key_inside_is_answered_with_the_one_meant(caller: Any) -> None:
    body = {"queries": [{"query": "x", "filter": {"startdate": "2026-01-01"}}]}
    [error] = caller.post("/documents/query", json=body).json()["errors"]
    assert error["nearest"] == "start_date"
    assert "document_id, source, source_id, author" in error["expected"]


@pytest.mark.parametrize(
    "question",
    [
        *('"', '""', 'a"b OR c', "plums*", "NEAR(plums pears)", "body:plums", "^plums", "(", "AND"),
        *(
            "plums AND NOT pears",
            "{body heading}: plums",
            "-plums",
            "plums + pears",
            "NOT",
            "'; --",
        ),
        *("%", "\\", ":match0", "的了吗", "，。", "é", "\u200b", "🥛", "\x00plums"),
    ],
)
def test_no_question_is_a_query_of_its_own(caller: Any, question: str) -> None:
    store(caller, {"id": "a", "text": "plums and pears"})
    reply = caller.post("/documents/query", json={"queries": [{"query": question}]})
    assert reply.status_code in ({422} if "\x00" in question else {200})
    if "plums" in question and "\x00" not in question:
        assert found(caller, question) == ["a"]


anything = st.text(st.characters(), max_size=40)  # surrogates and controls as well
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | anything,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(anything, inner, max_size=2),
    max_leaves=4,
)
metadata = st.dictionaries(
    st.sampled_from(["title", "source", "source_id", "url", "created_at", "author"]),
    anything | json_values,
)
odd_documents = st.fixed_dictionaries(
    {"text": anything}, optional={"id": anything, "metadata": metadata | json_values}
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=odd_documents | json_values, question=anything, wanted=metadata | json_values)
def test_nothing_that_comes_is_a_failure_of_the_service(
    caller: Any, document: Any, question: str, wanted: Any
) -> None:
    bodies: list[tuple[str, Any]] = [
        ("/documents", {"documents": [document]}),
        ("/documents/query", {"queries": [{"query": question}]}),
        ("/documents/query", {"queries": [{"query": question, "filter": wanted}]}),
    ]
    for path, body in bodies:
        reply = caller.post(path, content=json.dumps(body), content_type="application/json")
        assert reply.status_code in {200, 422}, reply.text
        if reply.status_code == 422:
            assert reply.json()["errors"]
        elif path == "/documents":
            [identifier] = reply.json()["ids"]
            [result] = query(caller, {"query": "x", "filter": {"document_id": identifier}})[
                "results"
            ]
            assert len(result["results"]) <= 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r\f"), min_size=1
    )
)
def test_a_text_comes_back_as_it_was_given(caller: Any, text: str) -> None:
    store(caller, {"id": "same", "text": text})
    assert caller.get("/documents/same").json()["text"] == text


def size(reply: Any) -> int:
    """As those count who count most: in UTF-16."""
    return len(reply.content.decode().encode("utf-16-le")) // 2


@pytest.mark.parametrize("part", ['"', "长", "🥛", "\n", "word "])
def test_a_long_text_is_read_in_parts(caller: Any, part: str) -> None:
    text = part * (200_000 // len(part))
    store(caller, {"id": "long", "text": text})
    read: list[str] = []
    start: int | None = 0
    while start is not None:
        reply = caller.get("/documents/long", params={"start": start})
        assert size(reply) < LARGEST_REPLY + 1_000
        read.append(reply.json()["text"])
        start = reply.json()["next_start"]
        assert (start is None) == (reply.json()["note"] is None)
    assert "".join(read) == text
    assert len(read) > 2


def test_what_starts_after_the_end_is_empty(caller: Any) -> None:
    store(caller, {"id": "short", "text": "plums"})
    reply = caller.get("/documents/short?start=200000").json()
    assert (reply["text"], reply["next_start"]) == ("", None)


def test_a_reply_that_would_be_too_long_is_cut_and_says_so(caller: Any) -> None:
    about = {"url": "🥛" * 1000, "title": '"' * 200}
    store(
        caller,
        *({"id": str(at), "text": "plums " * 120, "metadata": about} for at in range(30)),
    )
    queries = [{"query": "plums", "top_k": 20}] * 10
    reply = caller.post("/documents/query", json={"queries": queries})
    assert LARGEST_REPLY * 0.8 < size(reply) < LARGEST_REPLY + 1_000
    counts = [len(result["results"]) for result in reply.json()["results"]]
    assert max(counts) - min(counts) <= 1
    left = 200 - sum(counts)
    assert reply.json()["note"].startswith(f"{left} of 200 chunks are left out, because the reply")


def test_a_body_beyond_the_limit_is_told(caller: Any) -> None:
    reply = caller.post("/documents", json={"documents": [{"text": "x" * 199_999}] * 6})
    assert reply.status_code == 413
    many = caller.post("/documents", json={"documents": [{"text": "x"}] * 51})
    assert many.status_code == 422

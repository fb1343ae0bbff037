import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.contract.operation import Contract
from tests.contract.conftest import document


def of(*operations: tuple[str, str, str | None]) -> list[str]:
    paths: dict[str, Any] = {}
    for method, path, operation_id in operations:
        paths.setdefault(path, {})[method] = {"operationId": operation_id} if operation_id else {}
    return list(names(read(json.dumps(document(paths)))))


def test_a_legal_id_is_the_name() -> None:
    assert of(("get", "/a", "listTodos"), ("get", "/b", "list_todos-2")) == [
        "listTodos",
        "list_todos-2",
    ]


def test_an_illegal_id_is_made_legal() -> None:
    assert of(("get", "/a", "todos.list all!"), ("get", "/b", "Größe ändern")) == [
        "todos_list_all",
        "Groe_andern",
    ]


def test_method_and_path_speak_where_there_is_no_id() -> None:
    *spoken, unreadable = of(
        ("get", "/v1/todos/{todoId}", None),
        ("post", "/v1/toDos", None),
        ("get", "/", None),
        ("get", "/天气", None),
    )
    assert spoken == ["get_v1_todos_by_todo_id", "post_v1_to_dos", "get_root"]
    assert re.fullmatch("get_[0-9a-f]{8}", unreadable)


def test_a_legal_id_keeps_its_name_whoever_comes_first() -> None:
    assert of(("get", "/a", "list todos"), ("get", "/b", "list_todos")) == ["get_a", "list_todos"]


def test_the_second_of_two_equal_ids_is_called_by_method_and_path() -> None:
    assert of(("get", "/a", "x"), ("post", "/b", "x"), ("put", "/b", "x")) == [
        "x",
        "post_b",
        "put_b",
    ]
    first, second, third = of(("get", "/a", "x"), ("post", "/b", "x"), ("put", "/c", "post_b"))
    assert (first, third) == ("x", "post_b")
    assert re.fullmatch("post_[0-9a-f]{8}", second)


def test_a_long_id_is_cut_at_a_word_and_stays_apart_from_its_likes() -> None:
    first, second = of(("get", "/a", "a_word_" * 20 + "x"), ("get", "/b", "a_word_" * 20 + "y"))
    assert first != second
    assert first.startswith("a_word_a_word_")
    assert re.fullmatch(r"(a_word_)+[0-9a-f]{8}|(a_word_)+a_[0-9a-f]{8}", first)


def test_names_lead_back(contracts: dict[str, Contract]) -> None:
    for contract in contracts.values():
        named = names(contract)
        assert list(named.values()) == list(contract.operations)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in named)


@given(st.lists(st.tuples(st.text(max_size=90), st.text(max_size=90)), min_size=1, max_size=8))
def test_any_ids_and_paths_give_legal_names(pairs: list[tuple[str, str]]) -> None:
    paths = {f"/{path}": {"get": {"operationId": name}} for path, name in pairs}
    contract = read(json.dumps(document(paths)))
    named = names(contract)
    assert len(named) == len(contract.operations)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in named)

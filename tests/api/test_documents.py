import json
from collections.abc import Iterator
from typing import Annotated, Any

import jsonschema_rs
import pytest
from fastapi import APIRouter, Header, Query
from pydantic import Field
from schemathesis.specs.openapi.definitions import OPENAPI_31

from plugin.api import documents
from plugin.api.doors import REST
from plugin.api.errors import problems
from plugin.api.errors.handlers import problem
from plugin.contract import targets
from plugin.contract.openapi import read
from plugin.contract.schema.validation import validator
from plugin.errors import ArgumentFault, InvalidArguments, NotFound
from plugin.operations import Arguments, QueryArguments, Reply, discover, operation

SERVER = "https://plugin.example.com"
METHODS = ("get", "post", "put", "patch", "delete")

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    return documents.build(discover([]), title="Tests", server=SERVER, version="1.2.3")


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def every(node: Any, key: str) -> Iterator[Any]:
    """Each value under `key`, wherever it stands."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from every(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from every(value, key)


def test_it_is_a_valid_openapi_3_1_document(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    jsonschema_rs.validate(OPENAPI_31, document)


def test_it_holds_exactly_what_models_may_call(document: Document) -> None:
    assert {(method, path, one["operationId"]) for method, path, one in operations(document)} == {
        ("get", "/todos", "list_todos"),
        ("post", "/todos", "add_todo"),
        ("post", "/todos/{todo_id}/complete", "complete_todo"),
        ("delete", "/todos/{todo_id}", "delete_todo"),
        ("post", "/documents", "upsert_documents"),
        ("post", "/documents/query", "query_documents"),
        ("get", "/documents/{document_id}", "get_document"),
        ("delete", "/documents/{document_id}", "delete_document"),
        ("get", "/weather", "get_current_weather"),
    }


def test_its_texts_keep_the_limits_of_actions(document: Document) -> None:
    for _, _, one in operations(document):
        for text in (one["summary"], one["description"]):
            assert 0 < len(text) <= targets.ACTIONS_DESCRIPTION.number
        for parameter in one.get("parameters", ()):
            assert 0 < len(parameter["description"]) <= targets.ACTIONS_PARAMETER.number
    for schema in document["components"]["schemas"].values():
        for name, value in schema["properties"].items():
            assert 0 < len(value["description"]) <= targets.ACTIONS_PARAMETER.number, name


def test_it_is_small(document: Document) -> None:
    assert len(documents.write(document)) < 30_000


def test_every_operation_asks_for_a_bearer_key_and_a_scope(document: Document) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    scopes = {one["operationId"]: one["security"] for _, _, one in operations(document)}
    assert scopes["delete_todo"] == [{"bearer": ["todos:write"]}]
    assert scopes["get_current_weather"] == [{"bearer": ["weather:read"]}]
    assert all(scopes.values())


def test_every_operation_says_whether_it_is_consequential(document: Document) -> None:
    said = {
        one["operationId"]: one["x-openai-isConsequential"] for _, _, one in operations(document)
    }
    read_only = [one["operationId"] for *_, one in operations(document) if "x-read-only" in one]
    assert read_only == ["query_documents"]
    consequential = [name for name, one in said.items() if one]
    assert consequential == ["delete_document", "delete_todo"]
    assert set(said.values()) == {True, False}


def test_every_error_is_declared_as_a_problem(document: Document) -> None:
    for _, _, one in operations(document):
        answers = one["responses"]
        assert {"401", "403", "422"} <= set(answers)
        assert ("413" in answers) == ("415" in answers) == ("requestBody" in one)
        for status, answer in answers.items():
            if status[0] != "2":
                name = answer["$ref"].rpartition("/")[2]
                content = document["components"]["responses"][name]["content"]
                assert list(content) == [problems.MEDIA_TYPE]
    raised = {one["operationId"]: set(one["responses"]) for _, _, one in operations(document)}
    assert "404" in raised["complete_todo"]
    assert {"404", "503"} <= raised["get_current_weather"]
    assert "404" not in raised["add_todo"]


def test_nothing_of_fastapis_own_errors_is_left(document: Document) -> None:
    assert "HTTPValidationError" not in json.dumps(document)
    assert "Successful Response" not in json.dumps(document)


def test_requests_forbid_what_they_do_not_know(document: Document) -> None:
    for _, _, one in operations(document):
        for schema in every(one.get("requestBody", {}), "schema"):
            named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert named["additionalProperties"] is False


def test_the_examples_fit_their_schemas(document: Document) -> None:
    schemas = document["components"]["schemas"]
    checked = 0
    for name, schema in schemas.items():
        whole = {"$ref": f"#/$defs/{name}", "$defs": _as_definitions(schemas)}
        for example in schema.get("examples", ()):
            validator(whole).validate(example)
            checked += 1
        if name != "ArgumentProblem":
            assert schema.get("examples"), f"{name} has no example"
    for parameter in every(document["paths"], "parameters"):
        for one in parameter:
            for example in one["schema"].get("examples", ()):
                validator(one["schema"]).validate(example)
                checked += 1
    assert checked > 6


def _as_definitions(schemas: Document) -> Document:
    text = json.dumps(schemas).replace("#/components/schemas/", "#/$defs/")
    definitions: Document = json.loads(text)
    return definitions


@pytest.mark.parametrize(
    "error",
    [
        NotFound("There is no todo 3."),
        InvalidArguments("Two.", faults=[ArgumentFault("/a", "a number", "x", 3)]),
        RuntimeError("a bug"),
    ],
)
async def test_the_problem_schema_is_what_is_sent(document: Document, error: Exception) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await REST.refuse(send, problem(error, None, "req_1"), "req_1")
    schemas = _as_definitions(document["components"]["schemas"])
    closed = {**schemas["Problem"], "unevaluatedProperties": False, "$defs": schemas}
    validator(closed).validate(json.loads(sent[1]["body"]))


def test_generated_titles_are_gone_and_properties_of_that_name_stay() -> None:
    class Book(Reply):
        title: str
        """Its title."""

    door = APIRouter()

    @door.get("/book", operation_id="get_book")
    @operation(scope="books:read")
    async def get_book() -> Book:
        return Book(title="x")

    made = documents.build([door], title="Tests", server=SERVER, version="1")
    book = made["components"]["schemas"]["Book"]
    assert book["properties"] == {"title": {"type": "string", "description": "Its title."}}
    assert "title" not in book
    assert made["info"]["title"] == "Tests"


def test_an_operation_without_words_gets_its_summary_and_one_answer_text() -> None:
    door = APIRouter()

    @door.delete("/thing", operation_id="drop_thing", status_code=204)
    @operation(scope="things:write", consequential=True, idempotent=True, open_world=True)
    async def drop_thing() -> None:
        return None

    made = documents.build([door], title="Tests", server=SERVER, version="1")
    jsonschema_rs.validate(OPENAPI_31, made)
    one = made["paths"]["/thing"]["delete"]
    assert one["description"] == one["summary"] == "Drop Thing"
    assert one["responses"]["204"] == {"description": "Done."}
    assert (one["x-idempotent"], "x-open-world" in one) == (True, False)


def test_every_kind_of_argument_survives_the_reader() -> None:
    class Ask(QueryArguments):
        words: Annotated[list[str], Field(max_length=3)] = []  # noqa: RUF012 - pydantic copies it
        """What to look for."""

    class Put(Arguments):
        tags: dict[str, int]
        """By name."""

    door = APIRouter(prefix="/things")

    @door.put("/{thing}", operation_id="put_thing")
    @operation(scope="things:write")
    async def put_thing(
        thing: str, body: Put, ask: Annotated[Ask, Query()], trace: Annotated[str, Header()] = ""
    ) -> str:
        return f"{thing} {body} {ask} {trace}"

    made = documents.build([door], title="Tests", server=SERVER, version="1")
    jsonschema_rs.validate(OPENAPI_31, made)
    contract = read(documents.write(made))
    assert (contract.skipped, contract.notes) == ((), ())
    (found,) = contract.operations
    assert set(found.schema["properties"]) == {"thing", "words", "trace", "tags"}


def test_a_service_without_operations_still_has_a_document() -> None:
    made = documents.build([], title="Tests", server=SERVER, version="1")
    jsonschema_rs.validate(OPENAPI_31, made)
    assert made["paths"] == {}

"""Every rule for documents, at its limit and one beyond; whole documents; our own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.lint.finding import Rule
from plugin.contract.lint.linter import (
    DOCUMENT_RULES,
    MANIFEST_RULES,
    Document,
    Finding,
    Level,
    lint,
    read,
)
from plugin.contract.lint.manifest import ManifestText
from plugin.contract.pointer import MISSING, look_up
from plugin.contract.targets import LINT_TARGETS, Limit
from plugin.contract.text import parse
from plugin.errors import CannotRun
from tests.contract.conftest import documents

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
RULES: tuple[Rule[Any], ...] = (*DOCUMENT_RULES, *MANIFEST_RULES)
TEXT: Json = {"type": "string"}
OPERATION = {"operationId": "f", "summary": "Do it.", "x-openai-isConsequential": False}


def document(*operations: Json, **more: Any) -> Json:
    """A clean document but for what is given: operations at `/0`, `/1`, …"""
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {f"/{n}": {"post": {**OPERATION, **one}} for n, one in enumerate(operations)},
        **more,
    }


def many(count: int, **of_each: Any) -> Json:
    return document(*({"operationId": f"f{n}", **of_each} for n in range(count)))


def body(schema: Json, media_type: str = "application/json") -> Json:
    return {"requestBody": {"content": {media_type: {"schema": schema}}}}


def takes(**properties: Any) -> Json:
    return body({"type": "object", "properties": properties, "required": list(properties)})


def answers(schema: Json, media_type: str = "application/json") -> Json:
    return {"responses": {"200": {"description": "", "content": {media_type: {"schema": schema}}}}}


def parameter(name: str = "p", where: str = "query", **more: Any) -> Json:
    return {"parameters": [{"name": name, "in": where, "schema": TEXT, **more}]}


def secured(*requirements: list[Json], schemes: int = 2) -> Json:
    names = [f"s{n}" for n in range(schemes)]
    held = {name: {"type": "http", "scheme": "bearer"} for name in names}
    each = [{"operationId": f"f{n}", "security": one} for n, one in enumerate(requirements)]
    return document(*each, components={"securitySchemes": held})


def findings(of: Json, target: str) -> list[Finding]:
    return lint(read(json.dumps(of).encode()), target)


def nested(levels: int) -> Json:
    schema = TEXT
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def words(count: int, length: int) -> list[str]:
    return [f"{n:0{length}}" for n in range(count)]


def optional(count: int) -> Json:
    properties = {f"p{n}": TEXT for n in range(count)}
    return document(body({"type": "object", "properties": properties}))


def unions(count: int) -> Json:
    return document(takes(**{f"p{n}": {"type": ["string", "integer"]} for n in range(count)}))


CIRCLE = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Circle"}}}
BIG_ANSWER = {"type": "object", "properties": {f"property_{n}": TEXT for n in range(200)}}

# rule, door, a document that breaks it, where, what is found there, and one that does not break it
CASES: list[tuple[str, str, Json, str, Any, Json | None]] = [
    (
        "operation-unusable",
        "openai",
        document(body({"$ref": "#/gone"})),
        "/paths/~10/post/requestBody/content/application~1json/schema/$ref",
        None,
        None,
    ),
    (
        "document-oddity",
        "mcp",
        document(takes(a={"type": "whatever"})),
        "/paths/~10/post/requestBody/content/application~1json/schema/properties/a/type",
        None,
        None,
    ),
    (
        "operation-id-missing",
        "responses",
        document({"operationId": None}),
        "/paths/~10/post",
        None,
        None,
    ),
    (
        "operation-id-duplicate",
        "actions",
        document({}, {}),
        "/paths/~11/post/operationId",
        "f",
        many(2),
    ),
    ("servers-missing", "actions", document({}, servers=[]), "/servers", None, None),
    (
        "servers-relative",
        "openai",
        document({}, servers=[{"url": "/v1"}]),
        "/servers/0",
        "/v1",
        None,
    ),
    (
        "operation-undescribed",
        "openai",
        document({"summary": ""}),
        "/paths/~10/post",
        None,
        document({"summary": "", "description": "Do it."}),
    ),
    ("actions-operations", "actions", many(31), "/paths", 31, many(30)),
    (
        "actions-document",
        "actions",
        document({}, info={"description": "x" * 1_000_000}),
        "",
        ...,
        document({}, info={"description": "x" * 999_000}),
    ),
    (
        "actions-description",
        "actions",
        document({"summary": "x" * 301}),
        "/paths/~10/post/summary",
        301,
        document({"summary": "x" * 300, "description": "x" * 300}),
    ),
    (
        "actions-description",
        "actions",
        document({"description": "x" * 301}),
        "/paths/~10/post/description",
        301,
        None,
    ),
    (
        "actions-parameter",
        "actions",
        document(parameter(description="x" * 701)),
        "/paths/~10/post/parameters/0/description",
        701,
        document(parameter(description="x" * 700)),
    ),
    (
        "actions-parameter",
        "actions",
        document(
            takes(a={"type": "array", "items": {"$ref": "#/components/schemas/Deep"}}),
            components={
                "schemas": {"Deep": {"properties": {"b": {**TEXT, "description": "x" * 701}}}}
            },
        ),
        "/components/schemas/Deep/properties/b/description",
        701,
        None,
    ),
    (
        "actions-tls",
        "actions",
        document({}, servers=[{"url": "http://api.example.com"}]),
        "/servers/0",
        "http://api.example.com",
        document({}, servers=[{"url": "http://127.0.0.1:8000"}]),
    ),
    (
        "actions-tls",
        "actions",
        document({}, servers=[{"url": "https://api.example.com:8443"}]),
        "/servers/0",
        "https://api.example.com:8443",
        document({}, servers=[{"url": "https://api.example.com:443/v1"}]),
    ),
    (
        "actions-header-required",
        "actions",
        document(parameter("X-Tenant", "header", required=True)),
        "/paths/~10/post/parameters/0",
        "header X-Tenant",
        document(parameter("User-Agent", "header", required=True)),
    ),
    (
        "actions-header",
        "actions",
        document(parameter("X-Trace", "header")),
        "/paths/~10/post/parameters/0",
        "header X-Trace",
        document(parameter("Accept", "header")),
    ),
    (
        "actions-auth",
        "actions",
        secured([{"s0": []}], [{"s1": []}]),
        "/components/securitySchemes",
        2,
        secured([{"s0": []}, {"s1": []}], [{"s1": []}], []),
    ),
    (
        "actions-auth",
        "actions",
        secured([{"s0": [], "s1": []}]),
        "/components/securitySchemes",
        2,
        None,
    ),
    (
        "actions-request-text",
        "actions",
        document(body({}, "multipart/form-data")),
        "/paths/~10/post/requestBody/content/multipart~1form-data",
        "multipart/form-data",
        document(body(TEXT, "text/plain")),
    ),
    (
        "actions-answer-text",
        "actions",
        document(answers(TEXT, "image/png")),
        "/paths/~10/post/responses/200",
        "image/png",
        document(answers({}, "application/problem+json; charset=utf-8")),
    ),
    (
        "actions-payload-always",
        "actions",
        document(takes(a={"type": "string", "minLength": 100_000})),
        "/paths/~10/post",
        ...,
        document(takes(a={"type": "string", "minLength": 99_000})),
    ),
    (
        "actions-payload",
        "actions",
        document(
            answers({"type": "array", "maxItems": 1_000, "items": {**TEXT, "maxLength": 100}})
        ),
        "/paths/~10/post/responses/200",
        103_002,
        document(answers({"type": "array", "maxItems": 900, "items": {**TEXT, "maxLength": 100}})),
    ),
    (
        "actions-consequential",
        "actions",
        document({"x-openai-isConsequential": None}),
        "/paths/~10/post",
        None,
        None,
    ),
    (
        "actions-consequential",
        "actions",
        document({"x-openai-isConsequential": "yes"}),
        "/paths/~10/post/x-openai-isConsequential",
        "yes",
        None,
    ),
    (
        "tool-name",
        "openai",
        document({"operationId": "a b"}),
        "/paths/~10/post/operationId",
        "a b",
        document({"operationId": "x" * 64}),
    ),
    (
        "tool-name",
        "actions",
        document({"operationId": "x" * 65}),
        "/paths/~10/post/operationId",
        "x" * 65,
        None,
    ),
    ("tools", "responses", many(129), "/paths", 129, many(128)),
    (
        "tool-description",
        "mcp",
        document({"summary": "", "description": "x" * 1_025}),
        "/paths/~10/post",
        1_025,
        document({"summary": "", "description": "x" * 1_024}),
    ),
    (
        "strict-properties",
        "openai-strict",
        document(takes(**{f"p{n}": TEXT for n in range(5_001)})),
        "/paths/~10/post",
        5_001,
        document(takes(**{f"p{n}": TEXT for n in range(5_000)})),
    ),
    (
        "strict-depth",
        "openai-strict",
        document(body(nested(11))),
        "/paths/~10/post",
        11,
        document(body(nested(10))),
    ),
    (
        "strict-enum-values",
        "openai-strict",
        document(takes(a={"enum": list(range(1_001))})),
        "/paths/~10/post",
        1_001,
        document(takes(a={"enum": list(range(1_000))})),
    ),
    (
        "strict-long-enum",
        "openai-strict",
        document(takes(a={"enum": words(251, 60)})),
        "/paths/~10/post",
        251 * 60,
        document(takes(a={"enum": words(250, 61)})),
    ),
    (
        "strict-text",
        "openai-strict",
        document(takes(**dict.fromkeys(words(1001, 120), TEXT))),
        "/paths/~10/post",
        1_001 * 120,
        document(takes(**dict.fromkeys(words(1000, 120), TEXT))),
    ),
    (
        "strict-inexpressible",
        "openai-strict",
        document(takes(a={"type": "object"})),
        "/paths/~10/post",
        None,
        None,
    ),
    (
        "strict-left-out",
        "openai-strict",
        document(body({"properties": {"a": {"type": "object"}, "b": TEXT}})),
        "/paths/~10/post",
        None,
        None,
    ),
    (
        "anthropic-name",
        "anthropic",
        document({"operationId": "a.b"}),
        "/paths/~10/post/operationId",
        "a.b",
        document({"operationId": "a-b"}),
    ),
    ("anthropic-strict-tools", "anthropic", many(21), "/paths", 21, many(20)),
    ("anthropic-strict-optional", "anthropic", optional(25), "/paths", 25, optional(24)),
    ("anthropic-strict-unions", "anthropic", unions(17), "/paths", 17, unions(16)),
    (
        "anthropic-strict-recursion",
        "anthropic",
        document(
            takes(a={"$ref": "#/components/schemas/Circle"}),
            components={"schemas": {"Circle": CIRCLE}},
        ),
        "/paths/~10/post",
        "Circle",
        None,
    ),
    (
        "anthropic-strict-bounds",
        "anthropic",
        document(takes(a={"type": "integer", "minimum": 1}, b={"type": "number", "maximum": 1})),
        "/paths/~10/post",
        2,
        document(takes(a={"type": "integer"})),
    ),
    (
        "mcp-name",
        "mcp",
        document({"operationId": "a b"}),
        "/paths/~10/post/operationId",
        "a b",
        None,
    ),
    (
        "mcp-portable-name",
        "mcp",
        document({"operationId": "a.b"}),
        "/paths/~10/post/operationId",
        "a.b",
        document({"operationId": "a-b"}),
    ),
    (
        "mcp-output-schema",
        "mcp",
        document(answers(BIG_ANSWER)),
        "/paths/~10/post",
        ...,
        document(answers({"type": "object", "properties": {"a": TEXT}})),
    ),
    (
        "mcp-annotations",
        "mcp",
        document({"x-openai-isConsequential": None}),
        "/paths/~10/post",
        None,
        None,
    ),
]


@pytest.mark.parametrize("target", LINT_TARGETS)
def test_a_clean_document_is_clean_at_every_door(target: str) -> None:
    assert findings(document({}), target) == []


@pytest.mark.parametrize(
    ("rule", "target", "broken", "pointer", "found", "kept"),
    CASES,
    ids=[f"{case[0]}-{index}" for index, case in enumerate(CASES)],
)
def test_a_rule_speaks_where_it_is_broken(
    rule: str, target: str, broken: Json, pointer: str, found: Any, kept: Json | None
) -> None:
    (finding,) = (one for one in findings(broken, target) if one.rule == rule)
    assert finding.pointer == pointer
    assert found is ... or finding.found == found
    assert finding.message
    assert finding.source
    assert finding.as_of >= "2026"
    if kept is not None:
        assert rule not in {one.rule for one in findings(kept, target)}
    stands_on = next(one.stands_on for one in DOCUMENT_RULES if one.name == rule)
    if isinstance(stands_on, Limit):
        assert finding.limit == stands_on.number
        assert not isinstance(finding.found, int) or finding.found > stands_on.number


def test_every_rule_has_a_case_and_a_name_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {case[0] for case in CASES} == {rule.name for rule in DOCUMENT_RULES}


def test_every_door_has_a_rule_of_its_own() -> None:
    for target in LINT_TARGETS:
        assert any(target in rule.targets and len(rule.targets) < 5 for rule in RULES)


def test_errors_come_first() -> None:
    found = findings(document({"operationId": "a b", "summary": "x" * 301}), "actions")
    assert [one.level for one in found] == [Level.ERROR, Level.WARNING]


def test_a_target_that_is_not_known_is_refused() -> None:
    with pytest.raises(CannotRun, match="no target 'gemini'"):
        findings(document({}), "gemini")


def test_what_is_neither_is_refused() -> None:
    for text in (b"[]", b"hello", b"", b'{"swagger": "2.0", "name_for_model": "x"}'):
        with pytest.raises(CannotRun):
            read(text)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name[:60])
def test_every_document_can_be_linted_for_every_door(path: Path) -> None:
    subject = read(path.read_bytes())
    assert isinstance(subject, Document)
    whole = parse(path.read_bytes(), [])
    for target in LINT_TARGETS:
        for finding in lint(subject, target):
            assert finding.message
            # what a finding is about stands there, but for what is missing
            last = finding.pointer.rpartition("/")[0]
            assert look_up(whole, finding.pointer) is not MISSING or look_up(whole, last), finding


OURS: dict[str, Callable[[], bytes]] = {
    name: (ROOT / ".well-known" / name).read_bytes for name in ("openapi.json", "ai-plugin.json")
}


@pytest.mark.parametrize("target", LINT_TARGETS)
@pytest.mark.parametrize("name", OURS)
def test_our_own_documents_are_clean(name: str, target: str) -> None:
    subject = read(OURS[name]())
    found = lint(subject, target)
    assert [one for one in found if one.level is not Level.NOTE] == []
    # these are for whoever sends our tools to Anthropic as strict ones, or uploads whole books
    assert {one.rule for one in found} <= {"anthropic-strict-bounds", "actions-payload"}
    assert isinstance(subject, ManifestText) is (name == "ai-plugin.json")

import json
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from plugin.contract.openapi import read
from plugin.contract.operation import Contract
from plugin.contract.requests.request import NotExpressible, build
from plugin.contract.schema.nulls import without_added_nulls
from plugin.contract.schema.validation import validator
from plugin.contract.targets import TARGETS
from plugin.contract.tools import make_tools
from plugin.errors import CannotRun
from tests.contract.conftest import SAMPLES, document, real_documents, sample_documents
from tests.contract.instances import Instances
from tests.contract.rules import faults


def sample() -> Contract:
    return read((SAMPLES / "library.openapi.yaml").read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_every_tool_of_every_document_keeps_the_rules_of_its_door(
    contracts: dict[str, Contract], target: str
) -> None:
    count: Counter[str] = Counter()
    real = {path.name for path in real_documents()}
    for name, contract in contracts.items():
        made = make_tools(contract, target)
        assert [f"{name}: {fault}" for fault in faults(made.tools, target)] == []
        assert len(made.tools) + len(made.skipped) == len(contract.operations)
        assert all(note.reason for note in made.skipped)
        if target != "openai-strict":
            assert len(made.tools) == len(contract.operations)
        if name in real:
            count += Counter(made=len(made.tools), of=len(contract.operations))
    assert count["made"] >= 0.99 * count["of"]


NOT_STRICT = {
    "apiary.openapi.yaml": ["/paths/~1feedings/post"],
    "ferry.openapi.json": ["/paths/~1riddles/post"],
    "printshop.openapi.yaml": ["/paths/~1orders~1any/post", "/paths/~1labels/post"],
}
"""Operations of the samples that strict mode has no words for."""


def test_strict_mode_skips_what_it_has_no_words_for_and_nothing_else(
    contracts: dict[str, Contract],
) -> None:
    for name in (path.name for path in sample_documents()):
        skipped = make_tools(contracts[name], "openai-strict").skipped
        assert [note.pointer for note in skipped] == NOT_STRICT.get(name, [])


@pytest.mark.parametrize("target", TARGETS)
def test_the_checker_finds_what_is_wrong(target: str) -> None:
    text = json.dumps(make_tools(sample(), target).tools)
    assert list(faults(json.loads(text), target)) == []
    wrong = {
        '"placeHold"': '"place hold"',
        '"type": "object"': '"type": "objekt"',
        '"type": "string"': '"type": "string", "nullable": true',
        '"until": {': '"until": {"$ref": "#/$defs/none", ',
    }
    if target == "openai-strict":
        wrong |= {
            '"additionalProperties": false': '"additionalProperties": true',
            '"required": ["words"': '"required": [',
            '"type": "string"': '"type": "string", "maxLength": 3',
        }
    for old, new in wrong.items():
        assert old in text
        changed = text.replace(old, new).replace('[, "', '["')
        assert list(faults(json.loads(changed), target)), (old, new)


def test_an_unknown_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CannotRun, match="openai, openai-strict, responses, anthropic, mcp"):
        make_tools(sample(), "gemini")


def test_the_shapes_of_the_doors() -> None:
    one = {target: make_tools(sample(), target).tools[0] for target in TARGETS}
    words = "Find books by their words"
    description = "Words of a title or an author."
    schema = {
        "type": "object",
        "properties": {"words": {"type": "string", "description": description}},
        "required": ["words"],
    }
    function = {"name": "findBooks", "description": words, "parameters": schema}
    assert one["openai"] == {"type": "function", "function": function}
    assert one["responses"] == {"type": "function", **function, "strict": False}
    assert one["anthropic"] == {"name": "findBooks", "description": words, "input_schema": schema}
    strict = {**function, "parameters": {**schema, "additionalProperties": False}, "strict": True}
    assert one["openai-strict"] == {"type": "function", "function": strict}
    assert one["mcp"] == {
        "name": "findBooks",
        "title": words,
        "description": words,
        "inputSchema": schema,
        "outputSchema": {
            "type": "object",
            "properties": {
                "shelfmarks": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "The shelfmarks of the books.",
                }
            },
        },
        "annotations": {
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": True,
        },
    }


@pytest.mark.parametrize(
    ("method", "consequential", "hints"),
    [
        ("get", None, (True, False, True)),
        ("get", True, (False, True, True)),
        ("head", None, (True, False, True)),
        ("post", None, (False, True, False)),
        ("post", False, (False, False, False)),
        ("put", None, (False, True, True)),
        ("delete", None, (False, True, True)),
        ("patch", None, (False, True, False)),
    ],
)
def test_hints_come_from_the_method_and_the_author(
    method: str, consequential: bool | None, hints: tuple[bool, ...]
) -> None:
    operation = {} if consequential is None else {"x-openai-isConsequential": consequential}
    contract = read(json.dumps(document({"/x": {method: operation}})))
    annotations = make_tools(contract, "mcp").tools[0]["annotations"]
    keys = ("readOnlyHint", "destructiveHint", "idempotentHint")
    assert tuple(annotations[key] for key in keys) == hints


@pytest.mark.parametrize(
    ("said", "hints"),
    [
        ({"x-read-only": True}, (True, False, True)),
        ({"x-read-only": "true"}, (False, True, False)),
        ({"x-read-only": True, "x-openai-isConsequential": True}, (False, True, False)),
    ],
)
def test_an_author_may_say_that_a_post_only_reads(
    said: dict[str, Any], hints: tuple[bool, ...]
) -> None:
    contract = read(json.dumps(document({"/x": {"post": said}})))
    annotations = make_tools(contract, "mcp").tools[0]["annotations"]
    keys = ("readOnlyHint", "destructiveHint", "idempotentHint")
    assert tuple(annotations[key] for key in keys) == hints


def test_a_large_answer_is_not_listed() -> None:
    properties = {
        f"p{number}": {"type": "string", "description": "x" * 100} for number in range(60)
    }
    for count, listed in ((5, True), (60, False)):
        schema = {"type": "object", "properties": dict(list(properties.items())[:count])}
        responses = {"200": {"content": {"application/json": {"schema": schema}}}}
        contract = read(json.dumps(document({"/x": {"get": {"responses": responses}}})))
        assert ("outputSchema" in make_tools(contract, "mcp").tools[0]) is listed


def test_what_cannot_be_read_is_reported_with_what_cannot_be_expressed() -> None:
    free = {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
    paths = {
        "/a": {"get": {"parameters": [{"$ref": "#/x"}]}},
        "/b": {"post": {"requestBody": free}},
    }
    made = make_tools(read(json.dumps(document(paths))), "openai-strict")
    assert made.tools == []
    assert [note.pointer for note in made.skipped] == [
        "/paths/~1a/get/parameters/0",
        "/paths/~1b/post",
    ]


_SAID_IN_WORDS = {
    *("pattern", "minLength", "maxLength", "uniqueItems", "minProperties", "maxProperties"),
    "oneOf",
}


def _broken(error: Any) -> bool:
    """Whether an error is more than a limit that strict mode has no keyword for."""
    if error.kind.name in _SAID_IN_WORDS - {"oneOf"}:
        return False
    context = getattr(error.kind, "context", None)
    if error.kind.name == "oneOf" and context is None:
        return False  # two alternatives fit, where only one may
    return not any(not any(map(_broken, branch)) for branch in context or ())


def test_what_strict_mode_lets_a_model_write_is_valid_by_the_document(
    contracts: dict[str, Contract],
) -> None:
    tried = 0
    for contract in contracts.values():
        made = make_tools(contract, "openai-strict")
        slips = {note.pointer for note in made.notes if "described nowhere" in note.reason}
        whole = " ".join(note.reason for note in made.notes)
        for tool in made.tools:
            operation = made.operations[tool["function"]["name"]]
            schema = tool["function"]["parameters"]
            # A document that requires what it does not describe cannot be satisfied by anyone.
            if operation.pointer in slips or any(
                f"of {name}: " in whole and "described nowhere" in whole
                for name in schema.get("$defs", ())
            ):
                continue
            for seed in range(2):
                try:
                    written = Instances(schema, seed).make()
                except RecursionError:
                    continue
                arguments = without_added_nulls(operation.schema, written)
                errors = validator(operation.schema).iter_errors(arguments)
                assert not [error.message for error in errors if _broken(error)], operation.pointer
                tried += 1
    assert tried >= 150


def test_what_a_model_may_write_can_be_sent(
    contracts: dict[str, Contract],
) -> None:
    built = 0
    for contract in contracts.values():
        made = make_tools(contract, "openai-strict")
        for tool in made.tools:
            operation = made.operations[tool["function"]["name"]]
            with suppress(RecursionError, NotExpressible):
                request = build(operation, Instances(tool["function"]["parameters"], 3).make())
                assert request.path.startswith("/")
                assert request.path.isascii()
                assert request.query.isascii()
                assert "{" not in request.path
                built += 1
    assert built >= 80


def test_every_small_schema_accepts_what_the_document_accepts(
    contracts: dict[str, Contract],
) -> None:
    for contract in contracts.values():
        strict, plain = make_tools(contract, "openai-strict"), make_tools(contract, "anthropic")
        small = {tool["name"]: tool["input_schema"] for tool in plain.tools}
        for tool in strict.tools:
            name = tool["function"]["name"]
            operation = strict.operations[name]
            try:
                arguments = Instances(tool["function"]["parameters"], 5).make()
            except RecursionError:
                continue
            arguments = without_added_nulls(operation.schema, arguments)
            if validator(operation.schema).is_valid(arguments):
                assert validator(small[name]).is_valid(arguments), operation.pointer

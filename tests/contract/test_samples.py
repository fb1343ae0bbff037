"""The samples are our own, and they have the qualities that their README promises."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.lint.linter import lint, read
from plugin.contract.operation import Contract
from plugin.contract.targets import LINT_TARGETS
from plugin.contract.text import parse
from tests.contract.conftest import (
    CORPUS,
    SAMPLES,
    real_documents,
    real_manifests,
    sample_documents,
    sample_manifests,
)

README = "README.md"
ROW = re.compile(r"\| `([^`]+)` \|(.*)\|")
CODE = re.compile(r"`([^`]+)`")


def described() -> dict[str, str]:
    """Return what the README says of each file, by name."""
    text = (SAMPLES / README).read_text("utf-8").replace(r"\|", "\N{DIVIDES}")
    return {name: words.replace("\N{DIVIDES}", "|") for name, words in ROW.findall(text)}


def test_the_readme_describes_every_sample() -> None:
    files = {path.name for path in SAMPLES.iterdir()} - {README}
    assert set(described()) == files


@pytest.mark.parametrize("name", described())
def test_a_sample_holds_what_the_readme_quotes(name: str) -> None:
    text = (SAMPLES / name).read_text("utf-8")
    quoted = CODE.findall(described()[name])
    assert quoted
    assert [quote for quote in quoted if quote not in text] == []


# -- what the reader and the linter say of whole documents --------------------------------------

NOTED = {
    "library.openapi.yaml": {
        "/paths/~1holds/post/requestBody/content/application~1json/schema/properties/shelf",
        "/components/schemas/heldBook/properties/shelfmark",
    },
    "tideboard.openapi.json": {"/servers"},
    "survey.openapi.json": {
        "/paths/~1headers/get/parameters/2",
        "/paths/~1legacy~1{sheet}~1{part}/get/parameters",
        "/paths/~1legacy~1{sheet}~1{part}/get/parameters/0",
        "/paths/~1legacy~1{sheet}~1{part}/get/parameters/1",
        "/paths/~1legacy~1{sheet}~1{part}/get/parameters/3",
    },
    "printshop.openapi.yaml": {
        "/paths/~1proofs/post/requestBody/content/*~1*/schema/properties/scan/type",
        "/paths/~1bell/post/requestBody",
    },
    "apiary.openapi.yaml": {
        "/webhooks",
        "/paths/~1boxes~1{hive}/get",
        "/paths/~1boxes~1{hive}/delete",
    },
    "bellfoundry-webhooks.openapi.json": {"/webhooks", "/servers"},
    "relay.openapi.yaml": {
        "/paths/~1depots~1export/get/responses/503",
        "/paths/~1depots~1nearest/get",
    },
    "almanac.openapi.json": {
        "/paths/~1lore/get",
        "/paths/~1lore~1{day}/put",
        "/paths/~1lore~1{day}/put/parameters/0/schema/type",
        "/paths/~1lore~1{day}/get/parameters/0/schema/pattern",
        "/paths/archive",
        *(
            f"/components/schemas/Sign/{place}"
            for place in (
                "required",
                "properties/word/enum",
                "properties/nothing/enum",
                "properties/letters/pattern",
                "properties/code/pattern",
                "properties/list/uniqueItems",
                "properties/closed/additionalProperties",
            )
        ),
        *(
            f"/paths/~1lore/post/requestBody/content/application~1json/schema/properties/{place}"
            for place in (
                "saying",
                "saying/minLength",
                "rhymes/type",
                "verse/type",
                "verse/minimum",
                "source/required",
                "source/properties/page/type",
                "mood/type",
            )
        ),
    },
    "mill.openapi.yaml": {"/paths/~1wheel/put", ""},
}
"""Where the reader notes oddities, by sample. It may note more."""

FOUND = {
    "tideboard.openapi.json": {"servers-missing"},
    "kiln.openapi.json": {
        "operation-id-missing",
        "operation-undescribed",
        "strict-left-out",
        "anthropic-strict-recursion",
    },
    "survey.openapi.json": {
        "actions-header",
        "actions-header-required",
        "tool-name",
        "anthropic-name",
        "mcp-portable-name",
    },
    "printshop.openapi.yaml": {
        "actions-tls",
        "actions-request-text",
        "strict-inexpressible",
    },
    "apiary.openapi.yaml": {
        "operation-id-duplicate",
        "strict-inexpressible",
        "anthropic-strict-recursion",
    },
    "ferry.openapi.json": {"strict-inexpressible", "strict-left-out"},
    "museum.openapi.yaml": {"actions-auth"},
    "relay.openapi.yaml": {"servers-relative", "actions-answer-text", "operation-id-duplicate"},
    "almanac.openapi.json": {
        "actions-description",
        "actions-parameter",
        "actions-consequential",
        "tool-description",
        "tool-name",
        "operation-id-missing",
        "operation-id-duplicate",
        "mcp-name",
    },
}
"""Rules that a sample breaks at one door or another. It may break more."""

RULES = {
    "library.ai-plugin.json": set(),
    "tideboard.ai-plugin.json": set(),
    "survey.ai-plugin.json": {
        ("manifest-address", "/logo_url"),
        ("manifest-legal-page", "/legal_info_url"),
    },
    "kiln.ai-plugin.json": {
        ("manifest-address", "/api/url"),
        ("manifest-address", "/logo_url"),
        ("manifest-boolean", "/api/is_user_authenticated"),
        ("manifest-key-missing", "/contact_email"),
        ("manifest-key-missing", "/legal_info_url"),
        ("manifest-key-unknown", "/httpRealm"),
        ("manifest-name-letters", "/name_for_model"),
        ("manifest-short-name", "/name_for_human"),
        ("manifest-short-description", "/description_for_human"),
    },
    "museum.ai-plugin.json": {
        ("manifest-address", "/api/url"),
        ("manifest-address", "/auth/authorization_url"),
        ("manifest-auth", "/auth/client_url"),
        ("manifest-auth", "/auth/verification_tokens"),
        ("manifest-key-missing", "/contact_email"),
        ("manifest-key-missing", "/legal_info_url"),
        ("manifest-key-missing", "/logo_url"),
    },
    "apiary.ai-plugin.json": {
        ("manifest-schema-version", "/schema_version"),
        ("manifest-description-for-human", "/description_for_human"),
        ("manifest-api", "/api/type"),
        ("manifest-document-inlined", "/api/paths"),
        ("manifest-boolean", "/api/has_user_authentication"),
        ("manifest-address", "/api/url"),
        ("manifest-tls", "/logo_url"),
        ("manifest-email", "/contact_email"),
        ("manifest-key-unknown", "/api/info"),
        ("manifest-key-unknown", "/api/openapi"),
        ("manifest-key-unknown", "/homepage"),
        ("manifest-key-unknown", "/tags"),
    },
}
"""Every rule that a manifest breaks, and where."""


@pytest.mark.parametrize("name", NOTED)
def test_the_reader_notes_the_oddities_of_a_sample(
    contracts: dict[str, Contract], name: str
) -> None:
    assert NOTED[name] <= {note.pointer for note in contracts[name].notes}


@pytest.mark.parametrize("name", FOUND)
def test_the_linter_finds_what_a_sample_breaks(name: str) -> None:
    subject = read((SAMPLES / name).read_bytes())
    assert FOUND[name] <= {one.rule for target in LINT_TARGETS for one in lint(subject, target)}


def test_the_linter_finds_every_deviation_of_a_manifest() -> None:
    found = {
        path.name: {(one.rule, one.pointer) for one in lint(read(path.read_bytes()), "manifest")}
        for path in sample_manifests()
    }
    assert found == RULES


# -- ours, not theirs ---------------------------------------------------------------------------

_ENDS = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_A_SENTENCE = 4
"""Words; fewer are a name or a label."""


def sentences(node: Any) -> Iterator[str]:
    """Yield every sentence in the texts of a JSON value."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for member in node:
            yield from sentences(member)
    elif isinstance(node, str):
        for one in _ENDS.split(node):
            if len(one.split()) >= _A_SENTENCE:
                yield one.strip(" .").lower()


def values(path: Path) -> list[Any]:
    """Return the JSON values of a file, one a line or one alone."""
    text = path.read_text("utf-8")
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    return [json.loads(line) for line in lines]


@pytest.mark.skipif(not real_documents(), reason="the real collection is not here")
def test_no_sentence_of_a_sample_is_taken_from_a_real_document(
    contracts: dict[str, Contract],
) -> None:
    theirs: set[str] = set()
    for path in real_documents():
        theirs.update(sentences(contracts[path.name].document))
    for path in real_manifests():
        theirs.update(sentences(parse(path.read_bytes(), [])))
    for path in sorted(CORPUS.glob("calls/*.json*")):
        theirs.update(sentences(values(path)))
    ours: set[str] = set()
    for path in (*sample_documents(), *sample_manifests()):
        ours.update(sentences(parse(path.read_bytes(), [])))
    for name in ("functions.jsonl", "requests.jsonl", "tool-list.json"):
        ours.update(sentences(values(SAMPLES / name)))
    assert len(ours) > 150
    assert ours & theirs == set()

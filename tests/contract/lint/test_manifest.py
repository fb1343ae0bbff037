"""Each rule of the manifest, at its limit and one beyond; the deviations of real manifests."""

import json
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.lint.linter import MANIFEST_RULES, Finding, Level, lint, read
from plugin.contract.lint.manifest import ManifestText
from plugin.contract.manifest import read as read_tolerantly
from tests.contract.conftest import manifests
from tests.contract.test_manifest import GOOD, OAUTH

API = GOOD["api"]
HOME = "https://example.com/.well-known/ai-plugin.json"


def findings(served_from: str | None = None, **changes: Any) -> list[Finding]:
    document = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    subject = read(json.dumps(document).encode(), served_from)
    assert isinstance(subject, ManifestText)
    return lint(subject, "manifest")


def test_a_good_manifest_is_clean() -> None:
    assert findings(served_from=HOME) == []
    assert findings(auth={**OAUTH, "scope": "read"}) == []


CASES: list[tuple[str, dict[str, Any], str, Any]] = [
    ("manifest-key-missing", {"logo_url": ...}, "/logo_url", None),
    ("manifest-key-missing", {"auth": ""}, "/auth", ""),
    ("manifest-schema-version", {"schema_version": "v2"}, "/schema_version", "v2"),
    ("manifest-text", {"name_for_human": 3}, "/name_for_human", 3),
    ("manifest-text", {"api": {**API, "url": 3}}, "/api/url", 3),
    ("manifest-name-for-human", {"name_for_human": "x" * 51}, "/name_for_human", 51),
    ("manifest-short-name", {"name_for_human": "x" * 21}, "/name_for_human", 21),
    ("manifest-name-for-model", {"name_for_model": "x" * 51}, "/name_for_model", 51),
    ("manifest-name-letters", {"name_for_model": "to-do"}, "/name_for_model", "to-do"),
    (
        "manifest-description-for-human",
        {"description_for_human": "x" * 121},
        "/description_for_human",
        121,
    ),
    (
        "manifest-short-description",
        {"description_for_human": "x" * 101},
        "/description_for_human",
        101,
    ),
    (
        "manifest-description-for-model",
        {"description_for_model": "x" * 8_001},
        "/description_for_model",
        8_001,
    ),
    ("manifest-auth", {"auth": {"type": "magic"}}, "/auth/type", "magic"),
    ("manifest-auth", {"auth": {"type": "user_http"}}, "/auth/authorization_type", None),
    ("manifest-auth", {"auth": OAUTH}, "/auth/scope", ""),
    ("manifest-api", {"api": {"url": API["url"]}}, "/api/type", None),
    ("manifest-api", {"api": {"type": "openapi"}}, "/api/url", None),
    ("manifest-document-inlined", {"api": {**API, "paths": {}}}, "/api/paths", None),
    (
        "manifest-boolean",
        {"api": {**API, "is_user_authenticated": "false"}},
        "/api/is_user_authenticated",
        "false",
    ),
    ("manifest-address", {"api": {**API, "url": "openapi.yaml"}}, "/api/url", "openapi.yaml"),
    ("manifest-address", {"logo_url": "logo.png"}, "/logo_url", "logo.png"),
    ("manifest-tls", {"logo_url": "http://example.com/a"}, "/logo_url", "http://example.com/a"),
    ("manifest-email", {"contact_email": "nobody"}, "/contact_email", "nobody"),
    ("manifest-legal-page", {"legal_info_url": "me@x.com"}, "/legal_info_url", "me@x.com"),
    ("manifest-key-unknown", {"extra": 1}, "/extra", "extra"),
    ("manifest-key-unknown", {"api": {**API, "more": 1}}, "/api/more", "more"),
]


@pytest.mark.parametrize(("rule", "changes", "pointer", "found"), CASES)
def test_a_rule_speaks_where_it_is_broken(
    rule: str, changes: dict[str, Any], pointer: str, found: Any
) -> None:
    (finding,) = findings(**changes)
    assert (finding.rule, finding.pointer, finding.found) == (rule, pointer, found)
    assert finding.source
    assert finding.as_of >= "2026"


@pytest.mark.parametrize(
    ("key", "length"),
    [
        ("name_for_human", 20),
        ("name_for_model", 50),
        ("description_for_human", 100),
        ("description_for_model", 8_000),
    ],
)
def test_a_limit_itself_is_allowed(key: str, length: int) -> None:
    assert findings(**{key: "x" * length}) == []


def test_the_domain() -> None:
    elsewhere = {**API, "url": "https://badexample.com/openapi.json"}
    (finding,) = findings(served_from=HOME, api=elsewhere)
    assert (finding.rule, finding.pointer) == ("manifest-domain", "/api/url")
    assert finding.found == "badexample.com"


def test_oddities_of_the_text_are_findings() -> None:
    text = json.dumps(GOOD).replace("Keep a list.", "Keep a\x01 list.")
    subject = read(text.replace("\\u0001", "\x01").encode())
    (finding,) = lint(subject, "manifest")
    assert (finding.rule, finding.level) == ("manifest-oddity", Level.WARNING)


def test_every_rule_has_a_case() -> None:
    tried = {case[0] for case in CASES} | {"manifest-domain", "manifest-oddity"}
    assert tried == {rule.name for rule in MANIFEST_RULES}


# -- the deviations of 1,210 real manifests: all can be read, each is judged -------------------


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"schema_version": "v2"}, {"manifest-schema-version"}),
        ({"api": {"url": API["url"]}}, {"manifest-api"}),
        ({"api": {**API, "has_user_authentication": "true"}}, {"manifest-boolean"}),
        ({"api": {**API, "url": "/openapi.yaml"}}, {"manifest-address"}),
        ({"homepage": "https://example.com", "tags": []}, {"manifest-key-unknown"}),
        (
            {"api": {"openapi": "3.0.1", "paths": {"/x": {}}}},
            {"manifest-api", "manifest-document-inlined", "manifest-key-unknown"},
        ),
    ],
    ids=["v2", "no api.type", "text for a boolean", "relative api.url", "extra keys", "inlined"],
)
def test_a_real_deviation_is_read_tolerantly_and_judged_strictly(
    changes: dict[str, Any], rules: set[str]
) -> None:
    assert read_tolerantly(json.dumps({**GOOD, **changes})).name_for_model == "todos"
    assert {finding.rule for finding in findings(**changes)} == rules


@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.name[:60])
def test_every_manifest_can_be_linted(path: Path) -> None:
    subject = read(path.read_bytes(), "https://example.com/.well-known/ai-plugin.json")
    assert isinstance(subject, ManifestText)
    for finding in lint(subject, "manifest"):
        assert finding.message
        assert finding.pointer.startswith("/")

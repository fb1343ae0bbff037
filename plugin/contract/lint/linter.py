"""Holds a document or a manifest to what a door demands: every limit, with its source and date."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.contract.lint import actions, document, manifest, tools
from plugin.contract.lint.finding import Finding, Level, find
from plugin.contract.lint.manifest import ManifestText
from plugin.contract.lint.subject import Subject
from plugin.contract.openapi import read_value
from plugin.contract.operation import Contract, Note
from plugin.contract.source import mapping
from plugin.contract.targets import LINT_TARGETS
from plugin.contract.text import parse
from plugin.errors import CannotRun

__all__ = ["DOCUMENT_RULES", "MANIFEST_RULES", "Document", "Finding", "Level", "lint", "read"]

DOCUMENT_RULES = (*document.RULES, *actions.RULES, *tools.RULES)
MANIFEST_RULES = manifest.RULES

_ORDER = (Level.ERROR, Level.WARNING, Level.NOTE)


@dataclass(frozen=True, slots=True)
class Document:
    """An OpenAPI document, and the size of its text in bytes."""

    contract: Contract
    size: int


def read(data: bytes, served_from: str | None = None) -> Document | ManifestText:
    """Whichever of the two a text is. Raises CannotRun when it is neither."""
    notes: list[Note] = []
    value = parse(data, notes)
    if is_manifest(value):
        return ManifestText(value, served_from, tuple(notes))
    return Document(read_value(value, notes), len(data))


def is_manifest(value: Any) -> bool:
    """Whether a parsed text is an ai-plugin.json and no OpenAPI document."""
    if not isinstance(value, dict) or {"openapi", "swagger", "paths"} & value.keys():
        return False
    return bool({"api", "name_for_model"} & value.keys())


def inlined(manifest: ManifestText) -> Document | None:
    """The OpenAPI document that was put into the manifest itself."""
    api: Mapping[str, Any] = mapping(manifest.document.get("api"))
    return Document(read_value(api, []), 0) if "paths" in api else None


def lint(subject: Document | ManifestText, target: str) -> list[Finding]:
    """What a door demands and does not get, errors first. Raises CannotRun for an unknown door."""
    if target not in LINT_TARGETS:
        raise CannotRun(f"no target {target!r}: one of {', '.join(LINT_TARGETS)}")
    if isinstance(subject, ManifestText):
        found = list(find(MANIFEST_RULES, subject, target))
    else:
        there = Subject(subject.contract, target, subject.size)
        found = list(find(DOCUMENT_RULES, there, target))
    return sorted(found, key=lambda one: _ORDER.index(one.level))

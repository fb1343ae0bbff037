"""The documents of these tests: our own samples, and the real collection where it is there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.openapi import read
from plugin.contract.operation import Contract, Operation

SAMPLES = Path(__file__).parent / "samples"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

ReadOne = Callable[..., Operation]


def sample_documents() -> list[Path]:
    """Return our own OpenAPI documents."""
    return sorted(SAMPLES.glob("*.openapi.*"))


def real_documents() -> list[Path]:
    """Return the OpenAPI documents of the real collection; none without it."""
    found = sorted(CORPUS.glob("openapi/*.openapi.yaml")) + sorted(CORPUS.glob("openapi/*.json"))
    found += sorted(CORPUS.glob("manifests/*openapi.json"))
    return found + sorted(CORPUS.glob("manifests/*openapi.yaml"))


def documents() -> list[Path]:
    """Return every OpenAPI document, ours first."""
    return sample_documents() + real_documents()


def sample_manifests() -> list[Path]:
    """Return our own manifests."""
    return sorted(SAMPLES.glob("*.ai-plugin.json"))


def real_manifests() -> list[Path]:
    """Return the manifests of the real collection; none without it."""
    return sorted(CORPUS.glob("manifests/*ai-plugin*"))


def manifests() -> list[Path]:
    """Return every manifest, ours first."""
    return sample_manifests() + real_manifests()


def document(paths: dict[str, Any], version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    """A whole document around some paths."""
    return {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": paths, **more}


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    """All documents, read once, by file name."""
    return {path.name: read(path.read_bytes()) for path in documents()}


@pytest.fixture
def read_one() -> ReadOne:
    """Reads the one operation of a document whose path item for `/x/{id}` or another is given."""

    def one(
        operation: dict[str, Any], path: str = "/x", method: str = "post", **more: Any
    ) -> Operation:
        contract = read(json.dumps(document({path: {method: operation}}, **more)))
        assert not contract.skipped
        return contract.operations[0]

    return one

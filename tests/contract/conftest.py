"""Real documents: the large collection where it is there, else the samples beside these tests."""

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


def documents() -> list[Path]:
    """Every OpenAPI document that can be had."""
    found = sorted(SAMPLES.glob("*.openapi.*"))
    found += sorted(CORPUS.glob("openapi/*.openapi.yaml")) + sorted(CORPUS.glob("openapi/*.json"))
    return (
        found
        + sorted(CORPUS.glob("manifests/*openapi.json"))
        + sorted(CORPUS.glob("manifests/*openapi.yaml"))
    )


def manifests() -> list[Path]:
    """Every ai-plugin.json that can be had."""
    return sorted(SAMPLES.glob("*ai-plugin.json")) + sorted(CORPUS.glob("manifests/*ai-plugin*"))


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

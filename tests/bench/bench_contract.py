"""How long it takes to turn a document into tools, how much memory, how many bytes come out.

Each figure is a whole process (`plugin tools … --json`), start included, the best of three.
Documents: the published OpenAI description where `../shared` is there, and a synthetic one of 1,200
operations and over 13 MB of JSON, shaped like GitHub's: shared components that refer to each other
many levels deep, many answers, long examples. First, how many operations of all documents at hand
become tools; `tests/contract/rules.py` judges those (see test_tools.py).
"""

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from plugin.contract.openapi import read
from plugin.contract.targets import TARGETS
from plugin.contract.tools import make_tools

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "contract" / "samples"
CORPUS = ROOT.parent / "shared" / "corpus"
OPENAI = CORPUS / "openapi" / "openai.openapi.yaml"
RUNS = 3

_WORDS = [
    *("the", "of", "a", "repository", "user", "team", "organization", "branch", "commit", "issue"),
    *("pull", "request", "review", "comment", "label", "milestone", "workflow", "run", "job"),
    *("artifact", "secret", "variable", "environment", "deployment", "status", "check"),
]


def large_document(operations: int = 1_200, seed: int = 7) -> dict[str, Any]:
    """A document shaped like GitHub's: the same every time."""
    chance = random.Random(seed)  # noqa: S311 - a shape, not a secret
    schemas = {f"entity-{index}": _entity(chance, index) for index in range(1_200)}
    paths: dict[str, Any] = {}
    for index in range(operations):
        method = ("get", "post", "patch", "delete")[index % 4]
        path = f"/orgs/{{org}}/area-{index // 40}/things-{index // 4}/{{thing_id}}"
        paths.setdefault(path, {})[method] = _operation(chance, index, method)
    return {
        "openapi": "3.0.3",
        "info": {"title": "A large service", "version": "1.1.4"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {
                "org": _parameter("org", "path", "string"),
                "thing-id": _parameter("thing_id", "path", "integer"),
                "per-page": _parameter("per_page", "query", "integer"),
                "page": _parameter("page", "query", "integer"),
            },
            "responses": {
                name: {
                    "description": "An error",
                    "content": {"application/json": {"schema": _reference(0)}},
                }
                for name in ("not_found", "validation_failed", "forbidden")
            },
        },
    }


def _entity(chance: random.Random, index: int) -> dict[str, Any]:
    """A component of many properties; some refer to other components, a few to a later one."""
    properties: dict[str, Any] = {
        "id": {"type": "integer", "format": "int64", "readOnly": True, "example": index},
        "node_id": {"type": "string", "example": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5"},
        "url": {"type": "string", "format": "uri", "example": "https://api.example.com/things/1"},
    }
    for number in range(15):
        properties[f"{chance.choice(_WORDS)}_{number}"] = _property(chance, index)
    return {
        "title": f"Entity {index}",
        "description": _text(chance, 20),
        "type": "object",
        "properties": properties,
        "required": ["id", "node_id", "url"],
    }


def _property(chance: random.Random, index: int) -> dict[str, Any]:
    kind, family = chance.random(), index // 30 * 30
    if kind < 0.04 and index > family:
        # Within a family, mostly backwards, which makes depth; now and then ahead, into a circle.
        return _reference(family + chance.randrange(30 if kind < 0.01 else index - family))
    if kind < 0.06 and index > family:
        return {"type": "array", "items": _reference(chance.randrange(family, index))}
    if kind < 0.08 and index > family:
        return {"nullable": True, "allOf": [_reference(chance.randrange(family, index))]}
    if kind < 0.3:
        return {"type": "string", "enum": chance.sample(_WORDS, 5), "description": _text(chance, 8)}
    return {
        "type": chance.choice(["string", "integer", "boolean"]),
        "description": _text(chance, 10),
        "nullable": kind > 0.9,
    }


def _operation(chance: random.Random, index: int, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"things/{method}-{index}",
        "summary": _text(chance, 5),
        "description": _text(chance, 40),
        "tags": ["things"],
        "externalDocs": {"url": "https://docs.example.com/rest/things"},
        "parameters": [
            {"$ref": "#/components/parameters/org"},
            {"$ref": "#/components/parameters/thing-id"},
            {"$ref": "#/components/parameters/per-page"},
            {"$ref": "#/components/parameters/page"},
        ],
        "responses": {
            "200": _answer(chance, "OK"),
            "201": _answer(chance, "Created"),
            "404": {"$ref": "#/components/responses/not_found"},
            "403": {"$ref": "#/components/responses/forbidden"},
            "422": {"$ref": "#/components/responses/validation_failed"},
        },
        "x-service": {"category": "things", "subcategory": None, "enabledForApps": True},
    }
    if method in ("post", "patch"):
        properties = {f"field_{number}": _property(chance, index) for number in range(12)}
        schema = {"type": "object", "properties": properties, "required": ["field_0"]}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _answer(chance: random.Random, description: str) -> dict[str, Any]:
    example = {word: _text(chance, 12) for word in _WORDS}
    media = {
        "schema": _reference(chance.randrange(1_200)),
        "examples": {"default": {"value": example}},
    }
    return {"description": description, "content": {"application/json": media}}


def _parameter(name: str, location: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": location,
        "required": location == "path",
        "description": f"The {name.replace('_', ' ')}.",
        "schema": {"type": kind},
    }


def _reference(index: int) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/entity-{index}"}


def _text(chance: random.Random, words: int) -> str:
    return f"{' '.join(chance.choices(_WORDS, k=words)).capitalize()}."


def measure(document: Path, target: str) -> tuple[float, float, int, int]:
    """Seconds and megabytes of one process at its best, bytes it wrote, and tools it made."""
    best, memory, output = float("inf"), 0.0, b""
    for _ in range(RUNS):
        with tempfile.TemporaryFile() as stdout:
            start = time.perf_counter()
            arguments = [sys.executable, "-m", "plugin", "tools", str(document)]
            pid = os.posix_spawn(
                sys.executable,
                [*arguments, "--target", target, "--json"],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, stdout.fileno(), 1)],
            )
            _, status, usage = os.wait4(pid, 0)
            best = min(best, time.perf_counter() - start)
            if status:
                raise SystemExit(f"plugin tools ended with {os.waitstatus_to_exitcode(status)}")
            memory = max(memory, usage.ru_maxrss / 1024)
            stdout.seek(0)
            output = stdout.read()
    return best, memory, len(output), len(json.loads(output)["tools"])


def coverage() -> None:
    """For each target, how many operations of every document became tools, and why not the rest."""
    paths = [*CORPUS.glob("openapi/*"), *CORPUS.glob("manifests/*openapi.*")]
    contracts = [read(path.read_bytes()) for path in paths or SAMPLES.glob("*.openapi.*")]
    operations = sum(len(contract.operations) + len(contract.skipped) for contract in contracts)
    print(f"{len(contracts)} documents, {operations} operations")
    for target in TARGETS:
        made = [make_tools(contract, target) for contract in contracts]
        tools = sum(len(one.tools) for one in made)
        print(f"  {target:<14}{tools:>8} tools{tools / operations:>9.2%}")
        reasons = Counter(note.reason for one in made for note in one.skipped)
        for reason, count in reasons.most_common():
            print(f"    {count} x {reason}")


def report(name: str, document: Path) -> None:
    """One line for each target."""
    size = document.stat().st_size / 1e6
    print(f"{name}, {size:.1f} MB")
    print(f"  {'target':<14}{'seconds':>8}{'peak MB':>9}{'output MB':>11}{'tools':>7}")
    for target in TARGETS:
        seconds, memory, written, tools = measure(document, target)
        print(f"  {target:<14}{seconds:>8.2f}{memory:>9.0f}{written / 1e6:>11.2f}{tools:>7}")


def main() -> None:
    """Measure every document that is there."""
    os.chdir(ROOT)
    coverage()
    if OPENAI.exists():
        report("The OpenAI description", OPENAI)
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "large.json"
        document.write_text(json.dumps(large_document(), indent=1))
        report("A synthetic document of 1,200 operations", document)


if __name__ == "__main__":
    main()

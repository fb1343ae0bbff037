"""Rooms stay small, and what crosses them is typed."""

import re
from collections import Counter
from pathlib import Path

import plugin

ROOT = Path(plugin.__file__).parent
MOST_MODULES = 25
UNTYPED = re.compile(r"\b(?:dict|Mapping)\[str, object\]")

JSON_ITSELF = {
    "api/doors.py": "the body of an error, which becomes JSON at once",
    "api/errors/openai.py": "the body of an error, which becomes JSON at once",
    "cli/harness/judge.py": "tool definitions as a file has them",
    "gate/admission.py": "the events of a request, stored in the ledger as JSON",
    "gpt/moderation.py": "one result of a reply, which becomes JSON at once",
    "telemetry/access_log.py": "one line of the log",
}


def modules() -> list[Path]:
    return [path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path.name != "__init__.py"]


def test_no_folder_has_too_many_modules() -> None:
    sizes = Counter(str(path.parent) for path in modules() if "migrations" not in path.parts)
    assert {name: size for name, size in sizes.items() if size > MOST_MODULES} == {}


def test_values_that_cross_rooms_are_typed() -> None:
    found = {str(path) for path in modules() if UNTYPED.search((ROOT / path).read_text("utf-8"))}
    assert found == set(JSON_ITSELF), "use a typed object, or give a reason here"


def test_no_option_travels_through_the_environment() -> None:
    changed = re.compile(r"os\.environ(?:\.update|\.setdefault|\[[^\]]+\]\s*=[^=])|\bputenv\b")
    assert [
        str(path) for path in modules() if changed.search((ROOT / path).read_text("utf-8"))
    ] == []

"""Every rule of lint stands in the documentation as it is, in both languages, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.lint.finding import Rule
from plugin.contract.lint.linter import DOCUMENT_RULES, MANIFEST_RULES
from plugin.contract.targets import LINT_TARGETS, Limit

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| `([a-z-]+)` \| (\w+)" + r" \| ([^|]+)" * 4 + r" \|$", re.MULTILINE)
RULES: tuple[Rule[Any], ...] = (*DOCUMENT_RULES, *MANIFEST_RULES)
ALL = ("all", "全部")


@pytest.mark.parametrize("name", ["lint.md", "lint.zh.md"])
def test_every_rule_has_its_row(name: str) -> None:
    rows = ROW.findall((DOCS / name).read_text("utf-8"))
    assert [row[0] for row in rows] == [rule.name for rule in RULES]
    for rule, (_, level, doors, demand, told, source) in zip(RULES, rows, strict=True):
        on = rule.stands_on
        assert level == rule.level
        assert set(LINT_TARGETS if doors in ALL else doors.split(", ")) == rule.targets
        assert demand == (f"{on.number:,} {on.unit}" if isinstance(on, Limit) else on.words)
        assert source == on.source
        assert len(told) > 1


@pytest.mark.parametrize("name", ["lint.md", "lint.zh.md"])
def test_the_date_of_the_sources_is_theirs(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    for day in {rule.stands_on.as_of.isoformat() for rule in RULES}:
        assert day in text

"""The page: what it says, that it holds whatever was written, and that it needs nothing else."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from plugin.harness.checks import Check
from plugin.harness.judge import Judge
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.reports.findings import Findings, Promise, judged
from plugin.harness.reports.html import About, page
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call

SCHEMA = {
    "type": "object",
    "properties": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["unit"],
}
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """A page, read: its text, its tags, and the lines that are marked."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.marked: list[str] = []
        self._mark = ""
        self.feed(content.decode())
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        self._mark = dict(attrs).get("class") or "" if tag == "span" else ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            return
        self.text += data
        if self._mark in ("wrong", "missing") and self.open[-1] == "span":
            self.marked.append(data.strip())

    def all(self, tag: str, class_: str = "") -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.tags
            if name == tag and class_ in (found.get("class") or "")
        ]


def call(arguments: Any, name: str = "f") -> Replayed:
    """A judged call."""
    calls = (Call(None, name, arguments),)
    (verdict,) = Judge({"f": SCHEMA}).judge(calls)
    return judged(Reply(1, 0, "calls", calls, None), 0, verdict)


def shown(*events: Replayed | Unreadable, promise: Promise | None = None) -> Page:
    findings = Findings()
    for event in events:
        findings.add(event, promise or Promise(SCHEMA, "GET /f"))
    return Page(page(findings, About("calls.jsonl", "the service", "today")))


def test_a_wrong_call_stands_beside_the_line_that_it_breaks() -> None:
    found = shown(call({"unit": "Celsius"}))
    assert found.marked == ['"unit": "Celsius"', '"enum": ["celsius", "fahrenheit"]']
    assert "The contract asks, at /properties/unit/enum" in found.text
    assert 'enum_case/unit is "Celsius"; write "celsius"' in found.text
    assert "GET /f" in found.text


def test_a_missing_argument_has_a_line_of_its_own() -> None:
    assert shown(call({})).marked == ['"unit": …', '"required": ["unit"],']


def test_arguments_that_are_no_json_are_shown_as_they_were_written() -> None:
    found = shown(call('{"unit": <b>'))
    assert found.marked == ['{"unit": <b>']
    assert found.all("b") == [{}], "but for the count on the tile"


def test_a_failure_of_the_service_has_check_status_and_message() -> None:
    checks = (Check("schema", ok=False, message="/id: no"), Check("size", ok=True))
    outcome = Outcome.SERVICE_BROKE_CONTRACT
    event = Replayed(
        *(1, 0, 0, "f", "f", outcome), status=200, milliseconds=12.4, checks=checks, arguments={}
    )
    found = shown(event)
    assert "schema/id: no" in found.text
    assert "→ 200 in 12 ms" in found.text
    assert found.text.strip().startswith("The service broke its contract in 1 call.")


def test_outcomes_by_operation_and_their_bars() -> None:
    passed = Replayed(1, 0, 0, "g", "g", Outcome.PASSED, status=200)
    found = shown(
        passed, passed, passed, Replayed(1, 0, 0, "g", "g", Outcome.NOT_SENT, reason="no")
    )
    widths = [(one.get("class"), one["width"]) for one in found.all("rect")]
    assert widths == [("not_sent", "25.00"), ("passed", "75.00")]
    tiles = [one["data-outcome"] for one in found.all("button", "tile")]
    assert tiles == ["not_sent", "passed"]


def test_a_large_run_stays_a_small_page() -> None:
    findings = Findings()
    wrong = call({"unit": "x" * 1000, "more": list(range(500))})
    for n in range(20_000):
        name = "f" if n % 2 else "g"
        findings.add(replace(wrong, row=n, name=name, operation=name), Promise(SCHEMA))
    content = page(findings, About("calls.jsonl"))
    assert len(content) < 600_000
    found = Page(content)
    assert "9,999 more calls of f like this" in found.text
    assert "… and 9,980 more that are not shown here" in found.text
    assert len(found.all("article")) == 40


ODD = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "{{policy}}",
    "\"'><svg/onload=1>",
    "\x1b[31m\x00",
    "]]>",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("odd", ODD)
def test_whatever_was_written_is_text(odd: str) -> None:
    clean = shown(*everything("harmless"))
    found = shown(*everything(odd), promise=Promise({"properties": {odd: {}}}, odd))
    kinds = {name for name, _ in clean.tags}
    assert {name for name, _ in found.tags} <= kinds
    assert len(found.all("script")) == 1
    assert not any(key.startswith("on") for _, given in found.tags for key in given)
    if odd.isprintable():
        assert odd in found.text


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert "? half" in shown(Unreadable(1, "\ud800 half"), call("{ \ud800")).text


def everything(odd: str) -> list[Replayed | Unreadable]:
    checks = (Check(odd, ok=False, message=odd),)
    outcome = Outcome.SERVICE_BROKE_CONTRACT
    return [
        call({odd: odd}),
        call(odd + "{", name=odd),
        Replayed(1, 0, 0, odd, odd, outcome, checks=checks, arguments={"a": odd}),
        Replayed(1, 0, 0, odd, odd, Outcome.NOT_SENT, reason=odd, repairs=(odd,)),
        Unreadable(1, odd),
    ]


def test_it_loads_nothing_and_runs_nothing_but_its_own() -> None:
    content = page(Findings(), About("calls.jsonl"))
    found = Page(content)
    assert not any({"src", "href", "style"} & given.keys() for _, given in found.tags)
    policies = [one for one in found.all("meta") if "http-equiv" in one]
    policy = str(policies[0]["content"])
    assert policy.startswith("default-src 'none'; ")
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (inner,) = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", content.decode(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert b"http://" not in content
    assert b"https://" not in content


def test_it_is_made_for_light_dark_print_and_phones() -> None:
    content = page(Findings(), About("calls.jsonl")).decode()
    for condition in ("prefers-color-scheme: dark", "media print", "max-width: 640px"):
        assert condition in content
    assert '<meta name="viewport"' in content

"""A run as one page that needs nothing else: the verdict first, then each call and its reason."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from plugin.harness.judge import decode
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.reports.findings import NO_SUCH_TOOL, Findings, Kept, Kind
from plugin.harness.reports.marked_json import Line, print_marked
from plugin.harness.reports.markup import Html, join, tag, text
from plugin.harness.reports.schema_line import Excerpt, excerpt

_SHOWN_EXCERPTS = 6
_LONGEST_TEXT = 4_000
_PASSED = {
    "replay": "These calls fit the contract, and the service kept it.",
    "judge": "These calls fit the contract.",
    "mistakes": "The service refused them in words that a model can act on.",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of its run beside the findings: all of it for people."""

    calls: str
    against: str = ""
    made: str = ""


def page(findings: Findings, about: About) -> bytes:
    """The whole page. It loads nothing, and runs no script but its own."""
    style, script = _part("page.css"), _part("page.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
    filled = {
        "policy": text(f"{policy}base-uri 'none'; form-action 'none'"),
        "title": text(findings.verdict()),
        "style": style,
        "script": script,
        "body": _Page(findings, about).body(),
    }
    html = _part("page.html")
    head, *rest = html.split("{{")
    pieces = [head]
    for piece in rest:
        name, _, following = piece.partition("}}")
        pieces += [filled[name], following]
    # Half a surrogate pair is nothing that UTF-8 could hold.
    return "".join(pieces).encode("utf-8", "replace")


def _part(name: str) -> str:
    return files("plugin.harness.reports").joinpath(name).read_text("utf-8")


def _hash(part: str) -> str:
    digest = hashlib.sha256(part.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


class _Page:
    def __init__(self, findings: Findings, about: About) -> None:
        self._findings = findings
        self._about = about
        self._counts = findings.counts
        self._titles = findings.titles

    def body(self) -> Html:
        """Everything between the head and the script."""
        sections = [self._section(outcome) for outcome in self._titles]
        return tag(
            "main",
            self._verdict(),
            self._tiles(),
            self._search(),
            self._operations(),
            *sections[:2],
            self._unreadable(),
            *sections[2:],
            tag("footer", "Made by gpt-plugin. This page loads nothing and sends nothing."),
        )

    def _verdict(self) -> Html:
        about = self._about
        worst = next((one for one in self._titles if self._counts[one]), Outcome.NOT_SENT)
        if worst is Outcome.NOT_SENT and self._counts[Outcome.PASSED]:
            worst = Outcome.PASSED
        total = f"{self._counts.total():,} calls of {about.calls}"
        against = f" against {about.against}" if about.against else ""
        made = f" · {about.made}" if about.made else ""
        return tag(
            "header",
            tag("h1", self._findings.verdict()),
            tag("p", f"{total}{against}{made}", class_="soft"),
            class_=f"verdict {worst}",
        )

    def _tiles(self) -> Html:
        tiles = [
            self._tile(outcome, title, self._counts[outcome])
            for outcome, title in self._titles.items()
            if self._counts[outcome]
        ]
        if self._findings.unreadable_count:
            count = self._findings.unreadable_count
            tiles.append(self._tile("unreadable", "Rows that cannot be read", count))
        return tag("div", *tiles, class_="tiles")

    def _tile(self, outcome: str, title: str, count: int) -> Html:
        return tag(
            "button",
            tag("b", f"{count:,}"),
            title,
            type="button",
            class_=f"tile {outcome}",
            data_outcome=outcome,
            aria_pressed="false",
        )

    def _search(self) -> Html:
        box = Html('<input type="search" placeholder="Find in the calls below" aria-label="Find">')
        return tag("div", box, tag("output", class_="soft"), class_="find", hidden=True)

    def _operations(self) -> Html:
        by_operation = self._findings.by_operation
        if not by_operation:
            return Html("")
        outcomes = [one for one in self._titles if self._counts[one]]
        names = sorted(by_operation, key=lambda name: (_rank(by_operation[name]), name))
        heads = [
            tag("th", "Operation", scope="col"),
            tag("th", "Outcomes", scope="col", class_="bar"),
            *(tag("th", self._titles[one], scope="col", class_="number") for one in outcomes),
        ]
        rows = [self._row(name, outcomes) for name in names]
        table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))
        return join(tag("h2", "By operation"), tag("div", table, class_="wide"))

    def _row(self, name: str, outcomes: list[Outcome]) -> Html:
        counts = self._findings.by_operation[name]
        cells = [
            tag(
                "td",
                f"{counts[one]:,}",
                class_=f"number {one} {'some' if counts[one] else 'zero'}",
            )
            for one in outcomes
        ]
        place = self._findings.places.get(name)
        where = tag("small", place) if place else Html("")
        return tag(
            "tr",
            tag("th", name, where, scope="row"),
            tag("td", _bar(counts, outcomes), class_="bar"),
            *cells,
        )

    def _section(self, outcome: Outcome) -> Html:
        count = self._counts[outcome]
        if not count:
            return Html("")
        if outcome is Outcome.PASSED:
            return self._passed(count)
        kinds = [
            join(self._card(first), self._alike(kind, others))
            for kind, (first, *others) in self._findings.of(outcome)
        ]
        return self._part(outcome, self._titles[outcome], count, *kinds)

    def _part(self, outcome: str, title: str, count: int, *content: str) -> Html:
        heading = tag("h2", title, tag("span", f"{count:,}", class_="count"))
        return tag(
            "section", heading, *content, id=outcome, class_=f"part {outcome}", data_outcome=outcome
        )

    def _passed(self, count: int) -> Html:
        about = self._findings.about
        said = _PASSED[about]
        if about == "replay" and (declared := self._findings.declared_errors):
            said += f" {declared:,} got an error that the contract declares."
        title = self._titles[Outcome.PASSED]
        return self._part(Outcome.PASSED, title, count, tag("p", said, class_="soft"))

    def _unreadable(self) -> Html:
        rows, count = self._findings.unreadable, self._findings.unreadable_count
        if not count:
            return Html("")
        cards = [
            tag("article", tag("div", tag("h3", f"row {row.row}"), class_="head"), row.error)
            for row in rows
        ]
        more = _and_more(count - len(rows), "rows")
        return self._part("unreadable", "Rows that cannot be read", count, *cards, more)

    def _alike(self, kind: Kind, others: list[Kept]) -> Html:
        """The further calls that went wrong in the same way: folded, and beyond some counted."""
        count = self._findings.kinds[kind] - 1
        if not count:
            return Html("")
        more = _and_more(count - len(others), "that are not shown here")
        one = count == 1
        said = f"{count:,} more {'call' if one else 'calls'} of {kind.name} like this"
        return tag("details", tag("summary", said), *map(self._card, others), more)

    def _card(self, kept: Kept) -> Html:
        event, promise = kept.event, kept.promise
        place = f"row {event.row} · reply {event.reply} · call {event.call}"
        status = f"→ {event.status}" if event.status else ""
        if event.status and event.milliseconds is not None:
            status += f" in {event.milliseconds:,.0f} ms"
        head = tag(
            "div",
            tag("h3", event.name or NO_SUCH_TOOL),
            tag("span", promise.place, class_="mono soft"),
            tag("span", place, class_="soft"),
            tag("span", status, class_="status"),
            class_="head",
        )
        return tag("article", head, _reasons(event), _beside(event, promise.schema))


def _rank(counts: Mapping[Outcome, int]) -> tuple[int, int]:
    return -counts[Outcome.SERVICE_BROKE_CONTRACT], -counts[Outcome.CALL_WAS_WRONG]


def _bar(counts: Mapping[Outcome, int], outcomes: list[Outcome]) -> Html:
    total, at, parts = sum(counts.values()), 0.0, []
    for outcome in outcomes:
        width = 100 * counts[outcome] / total
        if width:
            parts.append(
                tag("rect", x=f"{at:.2f}", width=f"{width:.2f}", height="10", class_=outcome)
            )
        at += width
    return tag("svg", *parts, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")


def _reasons(event: Replayed) -> Html:
    said = [(check.check, check.message) for check in event.checks if not check.ok]
    said += [(str(fault.fault), fault.message) for fault in event.faults]
    if event.mutation is not None and event.grade is not None:
        said.insert(0, (event.mutation.mutation, "was made on purpose in a good call"))
        said.append((event.grade.refusal.value, event.grade.in_words))
    said += [("repair", repair) for repair in event.repairs]
    if event.reason:
        said.append(("not sent", event.reason))
    return tag(
        "dl",
        *(join(tag("dt", name), tag("dd", _with_code(why))) for name, why in said),
        class_="why",
    )


def _with_code(message: str) -> Html:
    """A message whose `words` in backticks are shown as code."""
    parts = message.split("`")
    if len(parts) % 2 == 0:
        return text(message)
    return join(*(tag("code", part) if index % 2 else part for index, part in enumerate(parts)))


def _beside(event: Replayed, schema: Any) -> Html:
    """The arguments beside what the contract says of them."""
    try:
        arguments = decode(event.arguments)
    except ValueError:
        written = _shortened(str(event.arguments))
        sent = tag("pre", tag("span", written, class_="wrong"), class_="text")
        return tag("div", _labelled("The model wrote", sent), class_="beside alone")
    places = [fault.pointer for fault in event.faults if fault.pointer]
    sent = _labelled("The model sent", _printed(print_marked(arguments, places)))
    found = (excerpt(schema, fault, arguments) for fault in event.faults)
    asked = {one.pointer: one for one in found if one is not None}
    if not asked:
        return tag("div", sent, class_="beside alone")
    shown = [_asked(one) for one in list(asked.values())[:_SHOWN_EXCERPTS]]
    more = _and_more(len(asked) - len(shown), "places")
    return tag("div", sent, tag("div", *shown, more), class_="beside")


def _asked(one: Excerpt) -> Html:
    label = join("The contract asks, at ", tag("code", one.pointer or "/"))
    return _labelled(label, _printed(print_marked(one.part, one.broken)))


def _labelled(label: str, content: Html) -> Html:
    return tag("div", tag("p", label, class_="label"), content)


def _printed(lines: list[Line]) -> Html:
    return tag("pre", *(tag("span", line.text, class_=line.mark or None) for line in lines))


def _shortened(written: str) -> str:
    more = len(written) - _LONGEST_TEXT
    return written if more <= 0 else f"{written[:_LONGEST_TEXT]}… ({more:,} more characters)"


def _and_more(count: int, what: str) -> Html:
    return tag("p", f"… and {count:,} more {what}", class_="soft more") if count > 0 else Html("")

"""Drift as people and pull requests read it."""

import re

from plugin.contract.targets import GITHUB_COMMENT
from plugin.harness.drift.compare import Drifted, Fate
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.reports.drift import Tally, github, line
from plugin.harness.transcript import Unreadable

UNIT = "`unit` became required"
FAULT = Fault("/unit", FaultKind.MISSING_REQUIRED, "`unit` (string) is required and missing")


def breaks(*causes: str, row: int = 1, operation: str = "get_weather") -> Drifted:
    return Drifted(row, 0, 0, operation, Fate.BREAKS, (FAULT,), causes)


def tally(*events: Drifted | Unreadable) -> Tally:
    found = Tally()
    for event in events:
        found.add(event)
    return found


def fate(one: Fate) -> Drifted:
    return Drifted(1, 0, 0, "f", one)


def test_a_line_is_as_it_is_promised() -> None:
    assert line(breaks(UNIT, "`days` was removed", row=7)) == {
        "row": 7,
        "reply": 0,
        "call": 0,
        "operation": "get_weather",
        "faults": [
            {"fault": "missing_required", "pointer": "/unit", "message": FAULT.message},
        ],
        "because": "`unit` became required; `days` was removed",
    }


def test_causes_are_counted_most_calls_first() -> None:
    found = tally(
        breaks("b"),
        *(breaks("a", row=row) for row in range(30)),
        breaks("a", "b", operation="other"),
        fate(Fate.FITS),
        fate(Fate.WAS_WRONG),
        fate(Fate.NOT_OFFERED),
        Unreadable(9, "no"),
    )
    assert found.verdict() == "32 of 35 recorded calls break if this contract ships."
    assert [(cause, group.calls) for cause, group in found.by_cause()] == [("a", 31), ("b", 2)]
    assert dict(found.groups["a"].operations) == {"get_weather": 30, "other": 1}
    assert len(found.groups["a"].examples) == 10
    assert "; ".join(found.others()) == (
        "1 still fit; 1 did not fit the old contract either; "
        "1 name no operation of the old contract; 1 rows cannot be read"
    )


def test_what_counts_as_a_finding() -> None:
    assert not tally().found_something
    assert not tally(fate(Fate.FITS), fate(Fate.WAS_WRONG), fate(Fate.NOT_OFFERED)).found_something
    assert tally(fate(Fate.FITS), breaks(UNIT)).found_something
    assert tally(fate(Fate.FITS), Unreadable(1, "no")).found_something
    # nothing was compared: that shows nothing
    alien = tally(fate(Fate.NOT_OFFERED))
    assert alien.found_something
    assert alien.verdict().startswith("None of the 1 recorded calls names an operation of the old")


def test_markdown_has_a_table_and_collapsed_details() -> None:
    text = github(tally(breaks(UNIT, row=3), fate(Fate.FITS)))
    assert text.startswith("### 1 of 2 recorded calls breaks if this contract ships.\n")
    assert "| 1 | `get_weather` | `unit` became required |" in text
    assert "<details><summary>1 × <code>unit</code> became required</summary>\n\n- `get" in text
    assert "row 3 reply 0 call 0: missing required at `/unit`" in text
    assert "1 still fit." in text
    # messages repeat what a call carried
    assert FAULT.message not in text


def test_nothing_in_markdown_is_markup_of_others() -> None:
    evil = "@user #12 | <script>x</script> **b** ![i](http://a.b) www.a.b :tada: ~~s~~ `a|b` _e_"
    text = github(tally(breaks(evil, operation="na`me|<b>"), breaks("line\none\n\n# two")))
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert len(rows) == 4
    for row in rows[2:]:
        assert row.count("|") == 4
    assert "<script>" not in text
    assert "<b>" not in text
    outside = re.sub(r"`[^`\n]*`", "", text)
    for mark in ("@user", " #12 ", "**b", "[i]", "http:", "www.", ":tada", "~~", "_e"):
        assert mark not in outside, mark
    assert "\n# two" not in text
    assert "<code>a&#124;b</code>" in text


def test_markdown_fits_a_comment_and_says_what_it_left_out() -> None:
    many = tally(
        *(
            breaks(f"`{'x' * 100}{n}` became required", row=row)
            for n in range(200)
            for row in (1, 2)
        )
    )
    text = github(many)
    assert 50_000 < len(text) <= GITHUB_COMMENT.number
    left_out = re.search(r"and (\d+) more changes", text)
    assert left_out
    assert int(left_out[1]) + text.count("<details>") == 200
    assert text.count("<details>") == text.count("</details>")


def test_nothing_breaks() -> None:
    text = github(tally(fate(Fate.FITS)))
    assert text.startswith("### None of the 1 recorded calls breaks if this contract ships.")
    assert "|" not in text

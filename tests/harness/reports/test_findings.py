"""What a run found: counted whole, kept in samples."""

from typing import Any

import pytest

from plugin.harness.checks import Check
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.grading import Grade, Refusal, Wording
from plugin.harness.judge import Judge, unjudged
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.reports.findings import NO_SUCH_TOOL, Findings, judged
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call

WRONG = (Fault("/a", FaultKind.WRONG_TYPE, "…"),)
BROKEN = (Check("schema", ok=False, message="…"), Check("size", ok=True))


def event(outcome: Outcome, name: str | None = "f", **more: Any) -> Replayed:
    return Replayed(1, 0, 0, name or "invented", name, outcome, **more)


def found(*events: Replayed | Unreadable) -> Findings:
    findings = Findings()
    for one in events:
        findings.add(one)
    return findings


PASSED = event(Outcome.PASSED, status=200)
CALL = event(Outcome.CALL_WAS_WRONG, faults=WRONG, status=422)
SERVICE = event(Outcome.SERVICE_BROKE_CONTRACT, checks=BROKEN, status=200)
UNSENT = event(Outcome.NOT_SENT, reason="HTTP cannot carry it: …")


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        ([], "Nothing was sent."),
        ([UNSENT], "Nothing was sent."),
        ([PASSED], "The service kept its contract."),
        ([PASSED, CALL], "The service kept its contract; 1 call was wrong."),
        ([SERVICE, PASSED], "The service broke its contract in 1 call."),
        (
            [SERVICE, SERVICE, CALL, CALL],
            "The service broke its contract in 2 calls; 2 calls were wrong.",
        ),
        ([event(Outcome.CALL_WAS_WRONG, None)], "Nothing was sent; 1 call was wrong."),
    ],
)
def test_the_verdict_comes_first(events: list[Replayed], verdict: str) -> None:
    assert found(*events).verdict() == verdict


def test_everything_is_counted_and_little_is_kept() -> None:
    findings = found(*[SERVICE] * 3000, *[CALL] * 2000, *[Unreadable(1, "no")] * 500, PASSED)
    assert findings.counts == {
        Outcome.SERVICE_BROKE_CONTRACT: 3000,
        Outcome.CALL_WAS_WRONG: 2000,
        Outcome.PASSED: 1,
    }
    assert findings.unreadable_count == 500
    assert sum(map(len, findings.kept.values())) + len(findings.unreadable) <= 60
    ((kind, kept),) = findings.of(Outcome.SERVICE_BROKE_CONTRACT)
    assert (kind.why, findings.kinds[kind], len(kept)) == (("schema",), 3000, 20)


def test_the_first_of_each_kind_is_kept_however_full_it_is() -> None:
    events = [
        event(Outcome.CALL_WAS_WRONG, f"f{n}", faults=WRONG) for n in range(600) for _ in range(3)
    ]
    findings = found(*events)
    assert len(findings.kinds) == 600
    assert all(findings.kept[kind] for kind in findings.kinds)
    assert sum(map(len, findings.kept.values())) < 1000


def test_invented_names_are_one_line_of_the_table() -> None:
    events = [Replayed(n, 0, 0, f"tool{n}", None, Outcome.CALL_WAS_WRONG) for n in range(100)]
    assert list(found(*events).by_operation) == [NO_SUCH_TOOL]


def test_an_error_that_the_contract_declares_is_counted() -> None:
    assert found(PASSED, event(Outcome.PASSED, status=404)).declared_errors == 1


def judge_findings(*calls: Call, schemas: dict[str, Any] | None) -> Findings:
    findings = Findings("judge")
    verdicts = unjudged(calls) if schemas is None else Judge(schemas).judge(calls)
    for index, verdict in enumerate(verdicts):
        findings.add(judged(Reply(1, 0, "calls", calls, None), index, verdict))
    return findings


@pytest.mark.parametrize(
    ("calls", "schemas", "verdict"),
    [
        ([], {}, "There are no calls to judge."),
        ([Call(None, "f", {})], None, "There is no contract to judge these calls by."),
        ([Call(None, "f", {})], {"f": {}}, "No call is wrong, of 1 that were judged."),
        ([Call(None, "f", {}), Call(None, "f", {"a": 1})], {"g": {}}, "2 of 2 calls are wrong."),
        ([Call(None, "f", "{"), Call(None, "f", {})], {"f": {}}, "1 of 2 calls is wrong."),
    ],
)
def test_the_verdict_without_a_service(
    calls: list[Call], schemas: dict[str, Any] | None, verdict: str
) -> None:
    assert judge_findings(*calls, schemas=schemas).verdict() == verdict


def test_mistakes_made_on_purpose_are_counted_by_how_they_were_met() -> None:
    good, bad = Wording(True, True, True), Wording(False, True, False)
    met = {
        Outcome.PASSED: [Grade(Refusal.REFUSED, "none", good)],
        Outcome.CALL_WAS_WRONG: [
            Grade(Refusal.ACCEPTED, "none", good),
            Grade(Refusal.REFUSED, "none", bad),
            Grade(Refusal.REFUSED, "changed", good),
        ],
        Outcome.SERVICE_BROKE_CONTRACT: [Grade(Refusal.FAILED)],
        Outcome.NOT_SENT: [Grade(Refusal.NOT_EXPRESSIBLE), Grade(Refusal.BY_HARNESS)],
        Outcome.REPAIRED: [Grade(Refusal.REPAIRED)],
    }
    findings = found(
        *(event(Outcome.CALL_WAS_WRONG, grade=grade) for some in met.values() for grade in some)
    )
    assert findings.counts == {outcome: len(grades) for outcome, grades in met.items()}
    assert findings.verdict() == "1 of 5 mistakes were refused well."

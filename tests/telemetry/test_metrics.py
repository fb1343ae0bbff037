from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugin.messages import AnsweredBy
from plugin.telemetry import names
from plugin.telemetry.metrics import Metrics, error_of
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.samples import Figures

RECORD = RequestRecord("req_1", "GET", path="/todos", status=200, ms=1.2, caller="key_1")
CALL = replace(
    RECORD,
    method="POST",
    path="/v1/chat/completions",
    door="gpt",
    operation="chat",
    model="gpt-4",
    answered_by=AnsweredBy("small", "far"),
    tokens_in=7,
    tokens_out=3,
)


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path / "metrics", {"small", "gpt-4"}, {"/healthz"})


def rows(metrics: Metrics, figure: names.Figure) -> dict[tuple[str, ...], list[float]]:
    return metrics._counted.rows.get(figure.name, {})


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ({}, ("rest", "GET", "/todos", "2xx")),
        ({"path": "/healthz"}, ("open", "GET", "/healthz", "2xx")),
        ({"path": None, "status": 404}, ("open", "GET", "other", "4xx")),
        ({"method": "BREW", "status": None}, ("rest", "other", "/todos", "none")),
        ({"path": "/v1/models", "door": "gpt", "status": 503}, ("gpt", "GET", "/v1/models", "5xx")),
    ],
)
def test_a_request_is_counted_under_few_names(
    metrics: Metrics, given: dict[str, Any], labels: tuple[str, ...]
) -> None:
    metrics.record(replace(RECORD, **given))
    assert list(rows(metrics, names.REQUESTS)) == [labels]
    assert not rows(metrics, names.CALLS)


def test_a_call_of_a_model_is_counted_with_its_tokens(metrics: Metrics) -> None:
    for _ in range(2):
        metrics.record(replace(CALL, units=5, first_ms=12.0))
    labels = ("chat", "far", "gpt-4")
    assert rows(metrics, names.INPUT) == {labels: [14]}
    assert rows(metrics, names.OUTPUT) == {labels: [6]}
    assert rows(metrics, names.UNITS) == {("gpt-4",): [10]}
    assert sum(rows(metrics, names.CALLS)[*labels, ""][:-1]) == 2
    assert rows(metrics, names.FIRST_PIECE)[labels][-1] == pytest.approx(0.024)


def test_a_name_that_nobody_offers_makes_no_new_row(metrics: Metrics) -> None:
    for number in range(50):
        metrics.record(replace(CALL, model=f"model-{number}", answered_by=None, status=503))
    assert list(rows(metrics, names.CALLS)) == [("chat", "none", "other", "503")]


def test_units_of_an_operation_have_no_model(metrics: Metrics) -> None:
    metrics.record(replace(RECORD, units=3))
    assert rows(metrics, names.UNITS) == {("none",): [3]}


def test_a_refusal_is_counted_by_its_limit(metrics: Metrics) -> None:
    metrics.record(replace(RECORD, status=429, limit="key-requests-minute"))
    assert rows(metrics, names.REFUSALS) == {("key-requests-minute", "rest"): [1]}


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"status": 200}, ""),
        ({"status": 200, "ended": "replayed"}, ""),
        ({"status": 429}, "429"),
        ({"status": 200, "ended": "caller left"}, "caller left"),
        ({"status": None}, "none"),
        ({"status": None, "ended": "caller left"}, "caller left"),
    ],
)
def test_how_it_failed(record: dict[str, Any], error: str) -> None:
    assert error_of(replace(RECORD, **record)) == error


def test_what_is_told_holds_samples_of_workers_and_of_the_service(tmp_path: Path) -> None:
    def of_worker(figures: Figures) -> None:
        figures.count(names.STREAMS, by=2)

    def of_service(figures: Figures) -> None:
        figures.count(names.ENGINE, ("ready",))

    one = Metrics(tmp_path, set(), set(), [of_worker], [of_service])
    two = Metrics(tmp_path, set(), set(), [of_worker], [of_service])
    one.record(RECORD)
    two.record(RECORD)
    one.tend()
    two.tend()
    figures = one.gathered()
    two.close()
    assert figures.rows[names.STREAMS.name] == {(): [4]}
    assert figures.rows[names.ENGINE.name] == {("ready",): [1]}
    assert figures.rows[names.WORKERS.name] == {(): [2]}
    ((labels, row),) = figures.rows[names.REQUESTS.name].items()
    assert (labels[2], sum(row[:-1])) == ("/todos", 2)
    ((_, (memory,)),) = figures.rows[names.MEMORY.name].items()
    assert memory > 2 * 1024 * 1024
    after = one.gathered()
    assert after.rows[names.WORKERS.name] == {(): [1]}
    assert sum(after.rows[names.REQUESTS.name][labels][:-1]) == 2
    one.close()


def test_a_file_that_was_taken_away_comes_back(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, set(), set())
    metrics.record(RECORD)
    metrics.tend()
    for path in tmp_path.iterdir():
        path.unlink()
    metrics.tend()
    assert names.REQUESTS.name in metrics.gathered().rows
    assert len(list(tmp_path.glob("*.worker"))) == 1
    metrics.close()


def test_a_full_disk_is_told_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "metrics").write_text("a file where a directory should be")
    metrics = Metrics(tmp_path / "metrics", set(), set())
    for _ in range(3):
        metrics.record(RECORD)
        metrics.tend()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    (tmp_path / "metrics").unlink()
    metrics.tend()
    assert sum(*metrics.gathered().rows[names.REQUESTS.name].values()) > 3
    metrics.close()

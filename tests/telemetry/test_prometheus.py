import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from plugin.telemetry import names
from plugin.telemetry.prometheus import exposed
from plugin.telemetry.samples import Figures

LABELS = ("rest", "GET", '/a"\\\n{id}', "2xx")


@pytest.fixture
def figures() -> Figures:
    counted = Figures()
    for value in (0.0005, 0.003, 0.003, 99.0):
        counted.observe(names.REQUESTS, LABELS, value)
    counted.count(names.INPUT, ("chat", "far", "small"), 7)
    counted.count(names.BREAKERS, ("far", "open"), 2)
    counted.count(names.CPU, ("17",), 1.5)
    return counted


def test_the_page_is_what_prometheus_reads(figures: Figures) -> None:
    content, media_type = exposed(figures, "text/plain")
    assert media_type.startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }
    of_request = {
        "plugin_door": "rest",
        "http_request_method": "GET",
        "http_route": LABELS[2],
        "plugin_status_class": "2xx",
    }
    name = "http_server_request_duration_seconds"

    def bucket(bound: str) -> float:
        return samples[(f"{name}_bucket", *sorted({**of_request, "le": bound}.items()))]

    assert [bucket("0.001"), bucket("0.005"), bucket("10.0"), bucket("+Inf")] == [1, 3, 3, 4]
    assert samples[(f"{name}_count", *sorted(of_request.items()))] == 4
    assert samples[(f"{name}_sum", *sorted(of_request.items()))] == pytest.approx(99.0065)
    tokens = "gen_ai_client_inference_usage_input_tokens_total"
    of_model = (
        *(("gen_ai_operation_name", "chat"), ("gen_ai_provider_name", "far")),
        ("gen_ai_request_model", "small"),
    )
    assert samples[(tokens, *of_model)] == 7
    assert samples["process_cpu_time_seconds_total", ("process_pid", "17")] == 1.5
    breaker = ("plugin_upstream_breaker", ("plugin_state", "open"), ("plugin_upstream", "far"))
    assert samples[breaker] == 2


def test_open_metrics_is_spoken_too(figures: Figures) -> None:
    content, media_type = exposed(figures, "application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    parsed = open_metrics(content.decode())  # type: ignore[no-untyped-call]
    families = {family.name: family.type for family in parsed}
    assert families["http_server_request_duration_seconds"] == "histogram"
    assert families["gen_ai_client_inference_usage_input_tokens"] == "counter"


def test_what_nobody_measured_is_not_told_as_nothing() -> None:
    assert exposed(Figures(), "")[0] == b""


def test_every_name_is_told_once() -> None:
    assert len({figure.name for figure in names.FIGURES}) == len(names.FIGURES)
    assert len({figure.in_prometheus for figure in names.FIGURES}) == len(names.FIGURES)
    for figure in names.FIGURES:
        assert list(figure.bounds) == sorted(set(figure.bounds))
        assert bool(figure.bounds) is (figure.kind == "histogram")

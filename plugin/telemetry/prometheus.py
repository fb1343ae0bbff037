"""Figures in the formats that Prometheus reads, written by its own client library."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from plugin.telemetry.names import FIGURES, Figure, prometheus_name
from plugin.telemetry.samples import Figures, Rows

if TYPE_CHECKING:
    from prometheus_client import Metric


def exposed(figures: Figures, accept: str) -> tuple[bytes, str]:
    """A page of all figures, and its media type, for whoever accepts `accept`.

    Blocks: the first time it imports the library (0.1 s).
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collector:
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> "Iterator[Metric]":
        for figure in FIGURES:
            rows = self._figures.rows.get(figure.name, {})
            if rows:
                yield _family(figure, rows)


def _family(figure: Figure, rows: Rows) -> "Metric":
    from prometheus_client import metrics_core as core

    name, labels = figure.in_prometheus, [prometheus_name(label) for label in figure.labels]
    if figure.kind == "histogram":
        histogram = core.HistogramMetricFamily(name, figure.tells, labels=labels)
        for values, row in rows.items():
            histogram.add_metric(values, _buckets(figure, row), row[-1])
        return histogram
    made: core.CounterMetricFamily | core.GaugeMetricFamily
    if figure.kind == "counter":
        made = core.CounterMetricFamily(name, figure.tells, labels=labels)
    else:
        made = core.GaugeMetricFamily(name, figure.tells, labels=labels)
    for values, row in rows.items():
        made.add_metric(values, row[0])
    return made


def _buckets(figure: Figure, row: Sequence[float]) -> list[tuple[str, float]]:
    bounds = [*(str(float(bound)) for bound in figure.bounds), "+Inf"]
    return list(zip(bounds, accumulate(row[:-1]), strict=True))

"""What the service tells of itself is documented, and the dashboard asks for nothing else."""

import json
import re
from pathlib import Path

import pytest

from plugin.telemetry.names import FIGURES, Figure, prometheus_name

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([\w.]+)`(?:[ （(][^|]*)? \|", re.MULTILINE)
NAME = re.compile(r"\b(?:http|gen_ai|plugin|process)_\w+")
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def exposed(figure: Figure) -> set[str]:
    return {figure.in_prometheus + ending for ending in ENDINGS[figure.kind]}


@pytest.mark.parametrize("page", ["observability.md", "observability.zh.md"])
def test_every_figure_has_a_row_and_every_row_a_figure(page: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    dotted = [name for name in ROW.findall(text) if "." in name]
    assert dotted == [figure.name for figure in FIGURES]
    for label in {label for figure in FIGURES for label in figure.labels}:
        assert f"`{label}`" in text, label


def test_the_dashboard_asks_for_what_there_is() -> None:
    dashboard = json.loads((ROOT / "infra" / "grafana-dashboard.json").read_text("utf-8"))
    there = {name for figure in FIGURES for name in exposed(figure)}
    labels = {prometheus_name(label) for figure in FIGURES for label in figure.labels}
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > len(dashboard["panels"]) > 5
    for expression in expressions:
        asked = set(NAME.findall(expression))
        assert asked - labels, expression
        assert asked <= there | labels, expression


def test_every_figure_but_few_is_on_the_dashboard() -> None:
    text = (ROOT / "infra" / "grafana-dashboard.json").read_text("utf-8")
    missing = [
        figure.name for figure in FIGURES if not any(name in text for name in exposed(figure))
    ]
    assert missing == []


def test_a_panel_has_a_place_of_its_own() -> None:
    panels = json.loads((ROOT / "infra" / "grafana-dashboard.json").read_text())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)

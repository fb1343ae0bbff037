import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from plugin.cli.harness import tools
from plugin.errors import CannotRun
from plugin.transports import sources

SAMPLES = Path(__file__).parents[2] / "contract" / "samples"
LIBRARY = SAMPLES / "library.openapi.yaml"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    tools.register(app)
    return app


def test_prints_json_of_the_agreed_form(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["tools", str(LIBRARY), "--target", "mcp", "--json"])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert set(printed) == {"tools", "operations", "skipped", "notes"}
    assert [tool["name"] for tool in printed["tools"]] == list(printed["operations"])
    assert printed["operations"]["showBook"] == {
        "method": "GET",
        "path": "/books/{shelfmark}",
        "operation_id": "showBook",
    }


def test_prints_what_was_skipped_and_left_out(app: typer.Typer, tmp_path: Path) -> None:
    free = {"type": "object"}
    body = {"content": {"application/json": {"schema": free}}, "required": True}
    query = {"name": "q", "in": "query", "schema": free}
    paths = {"/a": {"post": {"requestBody": body}}, "/b": {"get": {"parameters": [query]}}}
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps({"openapi": "3.1.0", "paths": paths}))
    arguments = ["tools", str(document), "--target", "openai-strict"]
    printed = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [tool["function"]["name"] for tool in printed["tools"]] == ["get_b"]
    assert [note["pointer"] for note in printed["skipped"]] == ["/paths/~1a/post"]
    assert [note["pointer"] for note in printed["notes"]] == ["/paths/~1b/get"]
    readable = CliRunner().invoke(app, arguments).stdout
    assert "1 tool for openai-strict" in readable
    assert "1 operation skipped" in readable
    assert "/paths/~1a/post" in readable
    assert "a free-form object" in readable


def test_reads_standard_input(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["tools", "-"], input=LIBRARY.read_bytes())
    assert "4 tools for openai" in result.stdout


def test_an_unknown_target_cannot_run(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["tools", str(LIBRARY), "--target", "x"])
    assert isinstance(result.exception, CannotRun)


@pytest.mark.parametrize("source", ["nowhere.json", ".", "a\x00b", "http://127.0.0.1:1/x"])
def test_a_source_that_cannot_be_read_says_so_in_one_line(source: str) -> None:
    with pytest.raises(CannotRun) as caught:
        sources.load(source)
    assert caught.value.detail.startswith("cannot ")
    assert "\n" not in caught.value.detail

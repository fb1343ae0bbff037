import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from plugin.auth.jwt import caller_id
from plugin.auth.keys import KeyStore
from plugin.cli import build
from plugin.cli.usage_chart import print_usage
from plugin.cli.usage_lines import Line, Usage
from plugin.errors import CannotRun
from tests.ledger.world import NOW, World, call, outcome

TODAY = datetime(2027, 1, 15, tzinfo=UTC).date()
SPAN = ("--from", "2027-01-01", "--to", "2027-01-15")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    return World(tmp_path / "data")


@pytest.fixture
def used(world: World) -> World:
    """Two calls of Ann yesterday, one today with a small and one with a large model."""
    yesterday = int((NOW - 86_400) * 1_000_000)
    key = KeyStore(world.database, lambda: NOW).create("Ann", ["*"], None).id
    given = [
        call(1, time=yesterday, caller_id=key),
        call(2, time=yesterday, caller_id=key),
        call(3, caller_id="key_gone"),
        call(4, caller_id="key_gone", model="=large", action="/v1/embeddings"),
        call(5, caller_id="key_gone", model=None, action="list_todos"),
    ]
    with world.journal() as journal:
        for one in given:
            journal.settled(journal.opened(one), one, outcome(tokens_in=1_000))
    return world


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build(), ["usage", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def shown(*arguments: str) -> Any:
    return json.loads(run("--json", *SPAN, *arguments))


def test_nothing_yet(world: World) -> None:
    assert world.files() == []
    assert "Nothing was called from 2027-01-01 to 2027-01-15" in run(*SPAN)
    assert shown()["rows"] == []


def test_what_is_still_in_journals_counts(used: World) -> None:
    assert used.rows() == []
    assert shown()["total"] == {"calls": 5, "tokens_in": 5_000, "tokens_out": 20, "units": 35}
    assert len(used.rows()) == 5


def test_by_day_and_by_month(used: World) -> None:
    assert used.journals.exists()
    assert [(row["period"], row["calls"]) for row in shown()["rows"]] == [
        ("2027-01-14", 2),
        ("2027-01-15", 3),
    ]
    assert [(row["period"], row["calls"]) for row in shown("--month")["rows"]] == [("2027-01", 5)]


def test_by_key_model_and_operation(used: World) -> None:
    assert used.journals.exists()
    rows = shown("--by", "operation,key, model")["rows"]
    assert [(row["operation"], row["key"], row["model"], row["calls"]) for row in rows] == [
        ("/v1/chat/completions", "Ann", "small", 2),
        ("/v1/chat/completions", "key_gone", "small", 1),
        ("/v1/embeddings", "key_gone", "=large", 1),
        ("list_todos", "key_gone", "-", 1),
    ]


def test_only_the_days_that_were_asked_for(used: World) -> None:
    assert used.journals.exists()
    found = json.loads(run("--json", "--from", "2027-01-15", "--to", "2027-01-15"))
    assert found["total"]["calls"] == 3
    assert (found["from"], found["to"]) == ("2027-01-15", "2027-01-15")


def test_keys_of_one_name_are_told_apart(used: World) -> None:
    keys = KeyStore(used.database, lambda: NOW)
    keys.create("Ann", ["*"], None)
    named = {row["key"] for row in shown("--by", "key")["rows"]}
    assert any(name.startswith("Ann (key_") for name in named)


def test_who_has_a_token_is_its_subject_and_its_issuer(
    used: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, other = "https://id.example.com", "https://other.example"
    given = [
        call(6, caller_id=caller_id(known, "li\x1b[31m"), caller_name="li\x1b[31m"),
        call(7, caller_id=caller_id(other, "li"), caller_name="li"),
    ]
    with used.journal() as journal:
        for one in given:
            journal.settled(journal.opened(one), one, outcome())
    issuer = {"issuer": known, "audience": "us", "algorithm": "HS256", "key": "k" * 40}
    monkeypatch.setenv("PLUGIN_JWT_ISSUERS", json.dumps([issuer]))
    rows = shown("--by", "key")["rows"]
    by_id = {row["key_id"]: row["key"] for row in rows}
    assert by_id[given[0].caller_id] == "li�[31m at https://id.example.com"
    # an issuer that is trusted no more: nobody can tell whose subject it was
    assert by_id[given[1].caller_id] == given[1].caller_id
    assert "Ann" in by_id.values()


def test_csv_is_for_spreadsheets_and_no_formula(used: World) -> None:
    assert used.journals.exists()
    rows = [*csv.reader(io.StringIO(run("--csv", *SPAN, "--by", "model")))]
    assert rows[0] == ["period", "model", "calls", "tokens_in", "tokens_out", "units"]
    assert rows[1] == ["2027-01-14", "small", "2", "2000", "8", "14"]
    names = {row[1] for row in rows}
    assert "'=large" in names
    assert "" in names, "a call without a model has an empty cell"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(world: World, begin: str) -> None:
    asked = call(1, caller_id="key_gone", model=f"{begin}1+1", action="/v1/embeddings")
    with world.journal() as journal:
        journal.settled(journal.opened(asked), asked, outcome())
    rows = [*csv.reader(io.StringIO(run("--csv", *SPAN, "--by", "model"), newline=""))]
    assert rows[1][1].startswith("'")


def test_a_table_and_bars_within_80_columns(used: World) -> None:
    assert used.journals.exists()
    said = run(*SPAN)
    lines = said.splitlines()
    assert lines[0].split() == ["day", "calls", "tokens", "in", "tokens", "out", "units"]
    assert lines[1].split() == ["2027-01-14", "2", "2,000", "8", "14"]
    assert lines[3].split() == ["total", "5", "5,000", "20", "35"]
    assert lines[5] == "calls a day"
    assert max(map(len, lines)) <= 80
    bars = [line.count("█") for line in lines[6:]]
    assert bars == [bars[1] * 2 // 3, bars[1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--by", "colour"), "--by knows key, model and operation, not colour"),
        (("--from", "yesterday"), "--from yesterday is no day"),
        (("--from", "2027-01-02", "--to", "2027-01-01"), "lies behind"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    world: World, arguments: Sequence[str], message: str
) -> None:
    assert world.files() == []
    with pytest.raises(CannotRun, match=message) as caught:
        run(*arguments)
    assert "\n" not in caught.value.detail


def drawn(
    lines: Sequence[Line],
    by: Sequence[str] = (),
    measure: str = "calls",
    *,
    terminal: bool = False,
    width: int = 80,
) -> list[str]:
    found = Usage(TODAY - timedelta(days=3), TODAY, monthly=False, by=by, lines=lines)
    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=terminal,
        color_system=None,
        legacy_windows=False,
    )
    print_usage(found, measure, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_days_without_a_call_have_a_line_and_little_is_not_nothing() -> None:
    lines = drawn([Line("2027-01-12", (), 1), Line("2027-01-15", (), 1_000_000)])
    chart = lines[lines.index("calls a day") + 1 :]
    assert [line.split()[0] for line in chart] == [f"2027-01-{day}" for day in range(12, 16)]
    assert "▏" in chart[0]
    assert chart[1].split() == ["2027-01-13", "0"]
    assert chart[3].endswith("1,000,000")


def test_bars_of_groups_add_up_to_the_bar_of_all() -> None:
    parts = [Line("2027-01-15", (f"m{number}",), number + 1) for number in range(8)]
    (grouped,) = [line for line in drawn(parts, ["model"]) if line.startswith("2027-01-15  █")]
    (plain,) = [line for line in drawn(parts[:1]) if line.startswith("2027-01-15  █")]
    assert grouped.count("█") == plain.count("█") + len("1") - len("36")
    legend = drawn(parts, ["model"])[-6:]
    assert [line.split()[1] for line in legend] == ["m7", "m6", "m5", "m4", "m3", "3"]


def test_bars_of_tokens() -> None:
    lines = drawn([Line("2027-01-15", (), 1, tokens_in=5, tokens_out=6)], measure="tokens")
    assert lines[-2] == "tokens a day"
    assert lines[-1].endswith("  11")


LONG = Line(
    "2027-01-15",
    (
        "a key with a long name, 一个名字很长的密钥",
        "a-model-with-a-long-name-70b-instruct",
        "create_chat_completion",
    ),
    calls=12_345_678_901,
    tokens_in=123_456_789_012,
    tokens_out=98_765_432_109,
    units=111_222_333_444,
)
BY = ("key", "model", "operation")
NUMBERS = ["12,345,678,901", "123,456,789,012", "98,765,432,109", "111,222,333,444"]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("by", [BY, BY[:1], ()])
def test_no_column_is_left_out(by: Sequence[str], width: int, *, terminal: bool) -> None:
    line = replace(LONG, groups=LONG.groups[: len(by)])
    head, row, total, *_ = drawn([line], by, terminal=terminal, width=width)
    heads = ["day", *by, "calls", "tokens in", "tokens out", "units"]
    assert re.split(r"  +", head.strip()) == heads
    assert row.split()[-4:] == total.split()[-4:] == NUMBERS
    shown = re.split(r"  +", row.strip())
    assert len(shown) == len(heads)
    if not terminal:
        assert tuple(shown[1 : 1 + len(by)]) == line.groups
    for name, whole in zip(shown[1:], line.groups, strict=False):
        assert len(name) >= 5, row
        assert whole.startswith(name.removesuffix("…").rstrip())


def test_on_a_terminal_names_are_shortened_to_its_width() -> None:
    line = replace(LONG, calls=1, tokens_in=20_000, tokens_out=3, units=4)
    lines = drawn([line], BY, terminal=True)
    assert all(cell_len(one) <= 80 for one in lines[:3])
    assert "…" in lines[1]

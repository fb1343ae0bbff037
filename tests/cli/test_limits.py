"""`plugin limits`: what is set is shown, what cannot be is one line that says what can."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plugin.auth.jwt import caller_id
from plugin.cli import build
from plugin.errors import CannotRun
from plugin.gate.counters.protocol import Take
from plugin.gate.counters.shared import SharedCounters
from plugin.gate.opening import COUNTERS


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))


def _run(*arguments: str, group: str = "limits") -> str:
    result = CliRunner().invoke(build(), [group, *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _shown(*arguments: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(_run("show", "--json", *arguments))
    return shown


def _key() -> str:
    made = json.loads(_run("create", "--name", "Ann", "--json", group="keys"))
    return str(made["id"])


def test_where_nothing_was_set_the_defaults_are_shown() -> None:
    (only,) = _shown()
    assert only["from"] == "default"
    assert (only["scope"], only["subject"], only["measure"]) == ("key", "*", "concurrent")
    assert only["left"] is None


def test_what_was_set_is_shown_until_it_is_unset() -> None:
    said = _run("set", "requests", "1_000", "--per", "minute", "--all")
    assert said == "all calls together: 1000 requests a minute\n"
    assert [one["cap"] for one in _shown() if one["scope"] == "all"] == [1000]
    _run("set", "requests", "7", "--per", "minute", "--all")
    assert [one["cap"] for one in _shown() if one["scope"] == "all"] == [7]
    assert _run("unset", "requests", "--per", "minute", "--all") == "unset\n"
    assert [one for one in _shown() if one["scope"] == "all"] == []


def test_a_default_can_be_lifted_and_comes_back() -> None:
    _run("set", "concurrent", "unlimited", "--key", "*")
    (lifted,) = _shown()
    assert (lifted["cap"], lifted["from"]) == (None, "set")
    assert "any number of concurrent requests" in _run("show")
    _run("unset", "concurrent", "--key", "*")
    assert _shown()[0]["from"] == "default"


def test_for_a_key_the_limits_that_it_meets_are_shown_with_what_is_left(tmp_path: Path) -> None:
    key = _key()
    _run("set", "requests", "10", "--per", "day", "--key", "*")
    _run("set", "requests", "20", "--per", "day", "--key", key)
    with closing(SharedCounters(tmp_path / "data" / COUNTERS)) as counters:
        counters.take([Take(f"key:requests:day:{key}", "window", 20, 5, 86_400.0)])
    shown = {one["measure"]: one for one in _shown("--key", key)}
    day = shown["requests"]
    assert (day["subject"], day["cap"], day["left"]) == (key, 20, 15)
    assert 86_000 < day["reset_seconds"] < 88_000
    assert shown["concurrent"]["left"] == shown["concurrent"]["cap"]
    assert f"the key {key}" in _run("show", "--key", key)


def test_a_key_goes_by_its_name_where_only_it_has_that_name() -> None:
    key = _key()
    _run("set", "requests", "5", "--per", "day", "--key", "Ann")
    [only] = [one for one in _shown("--key", "Ann") if one["measure"] == "requests"]
    assert (only["subject"], only["cap"]) == (key, 5)
    other = _key()
    with pytest.raises(CannotRun, match="no single key 'Ann'") as refused:
        _run("show", "--key", "Ann")
    assert key in refused.value.detail
    assert other in refused.value.detail


@pytest.mark.parametrize("scope", ["key", "model", "operation"])
def test_of_what_does_not_exist_no_limits_are_shown(scope: str) -> None:
    with pytest.raises(CannotRun, match=f"there is no {scope} 'unknown'"):
        _run("show", f"--{scope}", "unknown")


def test_models_and_operations_go_by_their_ids() -> None:
    _run("set", "requests", "3", "--per", "second", "--operation", "add_todo")
    _run("set", "tokens", "500", "--per", "minute", "--model", "smollm2-135m-instruct")
    scopes = {one["scope"]: one["subject"] for one in _shown()}
    assert scopes["operation"] == "add_todo"
    assert scopes["model"] == "smollm2-135m-instruct"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["requests", "5", "--per", "minute"], "say for whom: one of --all, --key"),
        (["requests", "5", "--per", "minute", "--all", "--key", "*"], "say for whom"),
        (["apples", "5", "--per", "minute", "--all"], "'apples' cannot be limited; .*tokens"),
        (["requests", "5", "--all"], "say --per: one of second, minute"),
        (["requests", "5", "--per", "hour", "--all"], "--per hour is no period; .*second"),
        (["concurrent", "5", "--per", "second", "--all"], "leave --per away"),
        (["requests", "-5x", "--per", "day", "--all"], "'-5x' is no cap: give a number from 0"),
        (["requests", "4294967296", "--per", "day", "--all"], "is no cap"),
        (["requests", "5", "--per", "day", "--key", "key_x"], "no key 'key_x'; `plugin keys list`"),
        (["requests", "5", "--per", "day", "--model", "gpt-9"], "the models are .*smollm2"),
        (["requests", "5", "--per", "day", "--operation", "x"], "operations are .*add_todo"),
    ],
)
def test_what_cannot_be_set_is_one_line(arguments: list[str], message: str) -> None:
    positional = ["--", arguments.pop(1)] if arguments[1].startswith("-") else []
    with pytest.raises(CannotRun, match=message) as caught:
        _run("set", *arguments, *positional)
    assert "\n" not in caught.value.detail


def test_a_budget_may_be_great() -> None:
    assert _run("set", "units", "5,000,000,000", "--per", "month", "--key", "*") == (
        "each key: 5000000000 units a month\n"
    )


def test_what_was_not_set_cannot_be_unset() -> None:
    with pytest.raises(CannotRun, match="there is no such limit"):
        _run("unset", "concurrent", "--key", "*")


def test_what_is_set_and_unset_stands_in_the_ledger() -> None:
    _run("set", "requests", "7", "--per", "minute", "--all")
    _run("set", "units", "unlimited", "--per", "month", "--operation", "add_todo")
    _run("unset", "requests", "--per", "minute", "--all")
    acts = json.loads(_run("acts", "--json", group="ledger"))
    assert [(act["act"], act["subject"], act["detail"]) for act in acts] == [
        ("limit set", "all * requests minute", {"cap": 7}),
        ("limit set", "operation add_todo units month", {"cap": None}),
        ("limit unset", "all * requests minute", {}),
    ]


def test_a_caller_with_a_token_can_have_a_limit() -> None:
    caller = caller_id("https://id.example.com", "li")
    _run("set", "requests", "7", "--per", "minute", "--key", caller)
    assert [one["cap"] for one in _shown("--key", caller) if one["measure"] == "requests"] == [7]
    with pytest.raises(CannotRun, match="there is no key"):
        _run("set", "requests", "7", "--per", "minute", "--key", caller[:-1])

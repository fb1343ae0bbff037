"""Which limits a call meets, and how a change is seen."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plugin.gate.counters.protocol import Take
from plugin.gate.limits import DEFAULTS, Limit, Limits, amount, identity, month_of
from plugin.gate.limits_store import CHANGES, LimitStore, WatchedLimits
from plugin.gate.prices import Price, Prices
from plugin.storage.database import ChangeWatch, Commits, open_blocking, sqlite_path
from plugin.storage.migrate import prepare

ALL = Limit("all", "*", "requests", "second", 100)
EACH_KEY = Limit("key", "*", "requests", "minute", 60)
ANN = Limit("key", "key_ann", "requests", "minute", 600)
MODEL = Limit("model", "m", "requests", "day", 5)
TOKENS = Limit("key", "*", "tokens", "minute", 1000)
BUDGET = Limit("key", "*", "units", "month", 900)


def limits(*given: Limit, prices: Prices | None = None) -> Limits:
    return Limits(given, prices or Prices(), "2026-11")


def test_each_key_has_a_count_of_its_own_and_one_may_have_another_cap() -> None:
    found = limits(EACH_KEY, ANN)
    assert Take("key:requests:minute:key_ann", "window", 600, 1, 60.0) in (
        found.at_admission("key_ann", "add_todo").takes
    )
    assert Take("key:requests:minute:key_bob", "window", 60, 1, 60.0) in (
        found.at_admission("key_bob", "add_todo").takes
    )


def test_where_nothing_was_set_the_default_holds_and_can_be_lifted() -> None:
    assert [one.label for one in limits().at_admission("k", "a").limits] == ["key-concurrent"]
    lifted = Limit("key", "*", "concurrent", "none", None)
    assert limits(lifted).at_admission("k", "a").takes == ()
    mine = Limit("key", "k", "concurrent", "none", None)
    assert limits(mine).at_admission("k", "a").takes == ()
    assert len(limits(mine).at_admission("other", "a").takes) == len(DEFAULTS)


def test_the_longest_wait_is_asked_first_and_what_runs_last() -> None:
    day = Limit("operation", "*", "requests", "day", 9)
    plan = limits(ALL, EACH_KEY, day).at_admission("k", "a")
    assert plan.shape.labels == (
        *("operation-requests-day", "key-requests-minute", "all-requests-second"),
        "key-concurrent",
    )


def test_a_model_is_met_with_its_tokens_when_it_is_known() -> None:
    found = limits(MODEL, TOKENS, EACH_KEY)
    assert "model-requests-day" not in found.at_admission("k", "a").shape.labels
    plan = found.at_model("k", "a", "m")
    assert set(plan.shape.labels) == {"model-requests-day", "key-tokens-minute"}
    costs = {take.name: take.cost for take in plan.takes_for(tokens=77, units=5)}
    assert costs == {"model:requests:day:m": 1, "key:tokens:minute:k": 77}
    assert found.at_model("k", "a", "other").shape.labels == ("key-tokens-minute",)


def test_units_are_met_only_where_something_costs_some() -> None:
    prices = Prices({"a": Price(call=40), "m": Price(1, 1)})
    found = limits(BUDGET, prices=prices)
    (budget, _) = found.at_admission("k", "a").takes
    assert budget == Take("key:units:2026-11:k", "budget", 900, 40)
    assert "key-units-month" not in found.at_admission("k", "free").shape.labels
    assert "key-units-month" in found.at_model("k", "free", "m").shape.labels
    assert found.at_model("k", "a", "free").shape.labels == ()


def test_a_new_month_has_new_budgets_and_the_same_windows() -> None:
    found = limits(Limit("key", "*", "requests", "month", 5), EACH_KEY)
    before = [take.name for take in found.at_admission("k", "a").takes]
    after = [take.name for take in found.in_month("2026-12").at_admission("k", "a").takes]
    assert before[0] == "key:requests:2026-11:k"
    assert after[0] == "key:requests:2026-12:k"
    assert before[1:] == after[1:]
    assert month_of(1_796_083_199.9) == "2026-11"
    assert month_of(1_796_083_200) == "2026-12"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.gate.limits._REMEMBERED", 3)
    found = limits()
    plans = [found.at_admission(f"key_{number % 5}", "a") for number in range(20)]
    assert len({take.name for plan in plans for take in plan.takes}) == 5
    assert found.at_admission("key_4", "a") is plans[-1]


def test_amounts_in_words() -> None:
    assert amount(ALL) == "100 requests a second"
    assert amount(BUDGET) == "900 units a month"
    assert amount(Limit("all", "*", "tokens", "none", 7)) == "7 tokens in all"
    assert amount(DEFAULTS[0]) == "256 concurrent requests"


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'plugin.db'}"
    prepare(tmp_path, address)
    return address


@pytest.fixture
def store(url: str) -> Iterator[LimitStore]:
    engine = open_blocking(url)
    yield LimitStore(engine)
    engine.dispose()


def test_a_limit_is_set_once_and_unset_once(store: LimitStore) -> None:
    assert store.set(EACH_KEY) is None
    assert store.set(Limit("key", "*", "requests", "minute", None)) == 60
    assert [one.cap for one in store.list()] == [None]
    assert store.unset(identity(EACH_KEY))
    assert not store.unset(identity(EACH_KEY))
    assert list(store.list()) == []


@pytest.fixture
def commits(url: str) -> Iterator[Commits]:
    commits = Commits(url)
    yield commits
    commits.close()


def test_a_change_of_any_kind_is_seen_and_nothing_else_is(
    commits: Commits, store: LimitStore
) -> None:
    watched = WatchedLimits(store.list, ChangeWatch(commits, CHANGES))

    def changed() -> Sequence[Limit] | None:
        commits.look()
        return watched.changed()

    assert changed() == []
    assert changed() is None
    store.set(ALL)
    assert changed() == [ALL]
    assert changed() is None
    store.set(Limit("all", "*", "requests", "second", 3))
    assert [one.cap for one in changed() or ()] == [3]
    store.unset(identity(ALL))
    assert changed() == []


@pytest.mark.parametrize(
    "row",
    [
        ("bogus", "*", "requests", "minute", 5),
        ("key", "*", "bogus", "minute", 5),
        ("key", "*", "requests", "hour", 5),
        ("key", "*", "requests", "minute", "ten"),
        ("key", "*", "requests", "minute", -1),
        ("key", "*", "tokens", "day", 2**32),
        ("key", "*", "tokens", "none", 2**62 + 1),
        ("key", "*", "concurrent", "minute", 5),
        ("all", "ann", "requests", "minute", 5),
    ],
)
def test_a_row_that_was_written_by_hand_and_is_no_limit_stops_nobody(
    store: LimitStore, url: str, row: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    store.set(ALL)
    with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
        connection.execute("INSERT INTO limits VALUES (?, ?, ?, ?, ?)", row)
    found = store.list()
    assert found == [ALL]
    (told,) = caplog.records
    assert "is left out" in told.getMessage()
    assert Limits(found, Prices(), "2026-11").at_admission("ann", "chat").limits


def test_while_the_database_cannot_be_asked_nothing_has_changed(
    store: LimitStore, commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    commits.close()
    watched = WatchedLimits(store.list, ChangeWatch(commits, CHANGES))
    assert watched.changed() is None
    assert watched.changed() is None
    assert [record.message for record in caplog.records] == [
        "the limits cannot be read; those last read stay in force"
    ]


def test_limits_that_could_not_be_read_are_read_later(commits: Commits, store: LimitStore) -> None:
    broken = True

    def read() -> Sequence[Limit]:
        if broken:
            raise sqlite3.DatabaseError("database disk image is malformed")
        return store.list()

    store.set(ALL)
    watched = WatchedLimits(read, ChangeWatch(commits, CHANGES))
    commits.look()
    assert watched.changed() is None
    broken = False
    assert watched.changed() == [ALL]

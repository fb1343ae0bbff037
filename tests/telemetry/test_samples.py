from hypothesis import given
from hypothesis import strategies as some

from plugin.telemetry.names import ACTIVE, CPU, INPUT, REQUESTS, UNITS
from plugin.telemetry.samples import Figures

LABELS = ("rest", "GET", "/todos", "2xx")


def test_a_value_lands_in_the_first_bucket_that_holds_it() -> None:
    figures = Figures()
    for value in (0.0005, 0.001, 0.0011, 100.0):
        figures.observe(REQUESTS, LABELS, value)
    (row,) = figures.rows[REQUESTS.name].values()
    buckets = row[:-1]
    assert buckets[:2] == [2, 1]
    assert buckets[-1] == 1
    assert sum(buckets) == 4
    assert row[-1] == sum((0.0005, 0.001, 0.0011, 100.0))


@given(some.lists(some.floats(0, 100), max_size=20), some.lists(some.floats(0, 100), max_size=20))
def test_two_workers_add_up_to_one(mine: list[float], theirs: list[float]) -> None:
    one, two, both = Figures(), Figures(), Figures()
    for figures, values in ((one, mine), (two, theirs)):
        for value in values:
            figures.observe(REQUESTS, LABELS, value)
            both.observe(REQUESTS, LABELS, value)
    one.add(two)
    added, counted = one.rows.get(REQUESTS.name, {}), both.rows.get(REQUESTS.name, {})
    assert {labels: row[:-1] for labels, row in added.items()} == {
        labels: row[:-1] for labels, row in counted.items()
    }


def test_adding_changes_nothing_of_the_one_that_is_added() -> None:
    one, two = Figures(), Figures()
    two.count(UNITS, ("small",), 3)
    one.add(two)
    one.count(UNITS, ("small",), 4)
    assert one.rows[UNITS.name] == {("small",): [7]}
    assert two.rows[UNITS.name] == {("small",): [3]}


def test_of_the_dead_what_was_counted_stays_and_what_was_measured_goes() -> None:
    figures = Figures()
    figures.count(ACTIVE, by=3)
    figures.count(CPU, ("17",), 1.5)
    figures.count(INPUT, ("chat", "far", "small"), 7)
    figures.observe(REQUESTS, LABELS, 0.1)
    assert figures.of_the_past().rows.keys() == {INPUT.name, REQUESTS.name}


def test_what_is_written_is_read() -> None:
    figures = Figures()
    figures.count(INPUT, ("chat", "far", "small"), 7)
    figures.observe(REQUESTS, LABELS, 0.1)
    assert Figures.read(figures.written()).rows == figures.rows


def test_what_another_version_counted_differently_is_left_out() -> None:
    figures = Figures()
    figures.count(UNITS, ("small",), 7)
    written = figures.written()
    written[UNITS.name] += [["small", "more labels", [1]], ["numbers", [1, 2]]]
    written["plugin.no.such.figure"] = [["x", [1]]]
    written[REQUESTS.name] = [[*LABELS, [1, 2, 3]]]
    assert Figures.read(written).rows == {UNITS.name: {("small",): [7]}, REQUESTS.name: {}}

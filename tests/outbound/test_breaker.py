from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plugin.outbound.breaker import Breaker, Patience

PATIENCE = Patience(failures=3, rest=4.0, longest=16.0)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock, PATIENCE)
    for _ in range(PATIENCE.failures):
        fail(breaker)
    return breaker, clock


def state(breaker: Breaker) -> str:
    return breaker.state


def fail(breaker: Breaker) -> None:
    ticket = breaker.enter()
    assert ticket is not None
    breaker.failed(ticket)


def test_failures_in_a_row_open_it_and_a_success_between_starts_anew() -> None:
    breaker = Breaker(Clock(), PATIENCE)
    for _ in range(PATIENCE.failures - 1):
        fail(breaker)
    breaker.succeeded(breaker.enter() or 0)
    for _ in range(PATIENCE.failures - 1):
        fail(breaker)
    assert (state(breaker), breaker.wait) == ("closed", 0)
    fail(breaker)
    assert (state(breaker), breaker.wait, breaker.enter()) == ("open", 4.0, None)


def test_one_probe_passes_and_closes_it() -> None:
    breaker, clock = opened()
    clock.now += 4
    assert state(breaker) == "half-open"
    probe = breaker.enter()
    assert probe is not None
    assert [breaker.enter() for _ in range(5)] == [None] * 5
    assert state(breaker) == "half-open"
    breaker.succeeded(probe)
    assert state(breaker) == "closed"
    assert breaker.enter() == probe


def test_each_change_is_reported_once() -> None:
    clock, changes = Clock(), list[float]()
    breaker = Breaker(clock, PATIENCE, changes.append)
    breaker.succeeded(breaker.enter() or 0)
    for _ in range(PATIENCE.failures):
        fail(breaker)
    assert changes == [4.0]
    clock.now += 4.0
    fail(breaker)
    clock.now += 8.0
    breaker.succeeded(breaker.enter() or 0)
    breaker.succeeded(breaker.enter() or 0)
    assert changes == [4.0, 8.0, 0.0]


def test_each_failed_probe_doubles_the_rest_up_to_the_longest() -> None:
    breaker, clock = opened()
    rests = []
    for _ in range(4):
        rests.append(breaker.wait)
        clock.now += breaker.wait
        fail(breaker)
    assert rests == [4, 8, 16, 16]


def test_a_probe_of_which_nothing_is_heard_does_not_shut_it_for_ever() -> None:
    breaker, clock = opened()
    clock.now += 4
    assert breaker.enter() is not None
    clock.now += 3.9
    assert breaker.enter() is None
    clock.now += 0.1
    assert breaker.enter() is not None
    assert breaker.enter() is None


def test_when_the_caller_of_a_probe_leaves_the_next_call_is_the_probe() -> None:
    breaker, clock = opened()
    clock.now += 4
    breaker.left(breaker.enter() or 0)
    assert breaker.enter() is not None
    assert breaker.enter() is None


def test_a_long_probe_lets_others_pass_once_it_is_answered() -> None:
    breaker, clock = opened()
    clock.now += 4
    probe = breaker.enter() or 0
    breaker.answers(probe)
    assert state(breaker) == "closed"
    breaker.failed(probe)
    assert state(breaker) == "open", "the stream that was the probe broke off"


@given(st.integers(0, 50))
def test_what_came_of_older_calls_is_not_heard(many: int) -> None:
    clock = Clock()
    breaker = Breaker(clock, PATIENCE)
    tickets = [breaker.enter() or 0 for _ in range(PATIENCE.failures + many)]
    for ticket in tickets[: PATIENCE.failures]:
        breaker.failed(ticket)
    for number, ticket in enumerate(tickets[PATIENCE.failures :]):
        (breaker.succeeded, breaker.failed, breaker.left, breaker.answers)[number % 4](ticket)
    assert (state(breaker), breaker.wait) == ("open", 4.0)


class AnyOrder(RuleBasedStateMachine):
    """Calls that begin and end in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(self.clock, PATIENCE)
        self.calls: list[int] = []

    @rule()
    def begin(self) -> None:
        before, wait = self.breaker.state, self.breaker.wait
        ticket = self.breaker.enter()
        assert (ticket is not None) is (before == "closed" or wait == 0)
        if ticket is None:
            return
        self.calls.append(ticket)
        if before != "closed":
            assert self.breaker.enter() is None, "one probe a window"

    @precondition(lambda self: self.calls)
    @rule(which=st.randoms(use_true_random=False), end=st.sampled_from(["ok", "bad", "gone"]))
    def end(self, which: object, end: str) -> None:
        ticket = self.calls.pop(which.randrange(len(self.calls)))  # type: ignore[attr-defined]
        before = self.breaker.state
        if end == "ok":
            self.breaker.succeeded(ticket)
            assert self.breaker.state in {before, "closed"}
        elif end == "bad":
            self.breaker.failed(ticket)
            assert before == "closed" or self.breaker.state != "closed"
        else:
            self.breaker.left(ticket)
            assert (before == "closed") is (self.breaker.state == "closed")

    @rule(seconds=st.floats(0.0, 20.0))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def never_shut_for_longer_than_the_longest_rest(self) -> None:
        assert 0 <= self.breaker.wait <= PATIENCE.longest
        assert self.breaker.state != "open" or self.breaker.wait > 0


TestAnyOrder = AnyOrder.TestCase

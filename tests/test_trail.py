from plugin import trail
from plugin.trail import Trail, carried, current, happened


def test_what_happens_below_a_request_is_found_on_its_trail() -> None:
    request = Trail("req_1")
    before = current.set(request)
    try:
        happened("upstream failed", upstream="a", status=503)
    finally:
        current.reset(before)
    happened("nobody asked")
    assert request.way == [{"what": "upstream failed", "upstream": "a", "status": 503}]


def test_a_trail_has_an_end() -> None:
    request = Trail("req_1")
    for number in range(1_000):
        request.happened("again", number=number)
    assert [event["number"] for event in request.way] == list(range(trail._MOST))


def test_only_a_traced_request_is_passed_on() -> None:
    assert carried() == ()
    request = Trail("req_1")
    before = current.set(request)
    try:
        assert carried() == ()
        request.traceparent = "00-1-2-01"
        assert carried() == ((b"traceparent", b"00-1-2-01"),)
    finally:
        current.reset(before)

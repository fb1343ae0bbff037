"""A stop while a call waits for its weather."""

import signal
from concurrent.futures import ThreadPoolExecutor

from tests.journeys.running import PATIENCE, Address, Running, bearer, until
from tests.open_meteo import OpenMeteo
from tests.sizes import sized


def assert_a_stop_lets_it_finish(
    started: Running, key: str, source: OpenMeteo, how: signal.Signals
) -> None:
    """Ask for weather that comes late, stop the service, and expect the weather."""
    source.delay = sized(2.0, 1.0)
    with ThreadPoolExecutor(1) as others:
        slow = others.submit(
            started.address.call, "GET", "/weather?location=Boston", bearer({"key": key})
        )
        until(lambda: any(asked == "/v1/forecast" for asked, _ in source.asked))
        assert started.stop(how) == 0
        answer = slow.result(PATIENCE)
    assert (answer.status, answer.json()["location"]) == (200, "Boston")
    assert "Traceback" not in started.err
    assert refuses_connections(started.address)


def refuses_connections(address: Address) -> bool:
    try:
        address.call("GET", "/healthz")
    except ConnectionRefusedError:
        return True
    return False

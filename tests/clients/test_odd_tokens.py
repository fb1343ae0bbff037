"""Thousands of odd tokens over a live port: no wrong verdict, no 5xx, still alive."""

import json
from collections import Counter
from pathlib import Path

from plugin.auth.signatures import ALGORITHMS
from tests.auth.odd_tokens import ANY, GOOD, Odd, odd_tokens
from tests.auth.tokens import AUDIENCE, Author
from tests.clients.test_odd_credentials import wire
from tests.journeys.running import bearer, new_key, running
from tests.sizes import sized

COUNT = sized(600, 10_000)
SEED = 20_261_124
AUTHORS = [Author(f"https://{name.lower()}.example", name) for name in sorted(ALGORITHMS)]


def expected(odd: Odd) -> set[int]:
    """The statuses that may answer; a line that a token breaks is the server's to refuse."""
    if odd.rules == GOOD:
        return {200}
    # where only the signature tells, a harmless change leaves a token as good as it was
    return {200, 400, 401, 403} if odd.rules == ANY else {400, 401}


def test_no_odd_token_gets_a_wrong_verdict(tmp_path: Path) -> None:
    issuers = [
        {"issuer": one.issuer, "audience": AUDIENCE, "algorithm": one.algorithm, "key": one.key}
        for one in AUTHORS
    ]
    settings = {"PLUGIN_JWT_ISSUERS": json.dumps(issuers)}
    seen: Counter[tuple[bool, int]] = Counter()
    with running(tmp_path, "serve", settings=settings) as service, wire(service.address) as line:
        key = bearer(new_key(tmp_path))
        for odd in odd_tokens(COUNT, AUTHORS, SEED):
            statuses = line.ask(b"Bearer " + odd.token)
            assert statuses, odd
            assert set(statuses) <= expected(odd), odd
            seen.update((odd.rules == GOOD, status) for status in statuses)
        assert service.address.call("GET", "/todos", key).status == 200
        assert "Traceback" not in service.err
        assert "failed" not in service.err
    assert seen[True, 200] > COUNT / 20
    assert seen[False, 401] > COUNT / 2

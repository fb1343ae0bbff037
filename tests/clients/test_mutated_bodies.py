"""Changed bodies over a live port: each gets an answer in the API's form, and the engine lives."""

import http.client
import json
from collections import Counter

from tests.clients.gpt_service import GptService, engine_state
from tests.clients.mutated_bodies import Mutated, mutated
from tests.journeys.running import request

COUNT = 1_100
SEED = 20_261_123

HEADERS = ("x-request-id", "openai-processing-ms", "openai-version")
ERROR = {"message", "type", "param", "code"}


def send_all(gpt: GptService, count: int, seed: int) -> Counter[int]:
    """Post them one after another; how often each status was answered."""
    connection = gpt.running.address.connect()
    seen: Counter[int] = Counter()
    for one in mutated(count, seed):
        seen[post(connection, gpt.key, one)] += 1
    connection.close()
    return seen


def post(connection: http.client.HTTPConnection, key: str, one: Mutated) -> int:
    sent = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = request(connection, "POST", one.path, sent, one.body)
    assert all(name in answer.headers for name in HEADERS), one
    if answer.status != 200:
        error = answer.json()["error"]
        assert set(error) == ERROR, one
        assert answer.status in {400, 404, 501}, (one, error)
        assert answer.status != 501 or one.path.startswith("/v1/images"), (one, error)
    elif answer.headers["content-type"].startswith("text/event-stream"):
        assert answer.body.endswith(b"data: [DONE]\n\n"), (one, answer.body[-300:])
        assert b'data: {"error"' not in answer.body, (one, answer.body[-300:])
    else:
        assert isinstance(answer.json(), dict), one
    return answer.status


def test_no_body_breaks_the_service_or_its_engine(gpt: GptService) -> None:
    state = gpt.directory / "data" / "engine.json"
    before = json.loads(state.read_text())
    seen = send_all(gpt, COUNT, SEED)
    assert engine_state(gpt.directory) == "ready"
    assert json.loads(state.read_text())["pid"] == before["pid"], "the engine was restarted"
    assert seen[200] > COUNT // 10
    assert seen[400] > COUNT // 10

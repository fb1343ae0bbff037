"""Changed bodies over a live port: each gets an answer in the API's form, and the engine lives."""

import http.client
import json
from collections import Counter

from tests.clients.gpt_service import GptService, engine_state
from tests.clients.mutated_bodies import Mutated, mutated
from tests.journeys.running import request
from tests.openai_schema import assert_reply, assert_stream
from tests.sizes import sized

COUNT = sized(33, 550)
PATIENCE = 180
SEED = 20_261_123

HEADERS = ("x-request-id", "openai-processing-ms", "openai-version")


def send_all(gpt: GptService, count: int, seed: int) -> Counter[int]:
    """Post them one after another; how often each status was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", gpt.running.address.port, timeout=PATIENCE)
    seen: Counter[int] = Counter()
    for one in mutated(count, seed):
        seen[post(connection, gpt.key, one)] += 1
    connection.close()
    return seen


def post(connection: http.client.HTTPConnection, key: str, one: Mutated) -> int:
    sent = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    answer = request(connection, "POST", one.path, sent, one.body)
    assert all(name in answer.headers for name in HEADERS), one
    if answer.headers["content-type"].startswith("text/event-stream"):
        options = json.loads(one.body).get("stream_options") or {}
        assert_stream(one.path, answer.body, usage=bool(options.get("include_usage")))
        return answer.status
    assert_reply(one.path, "POST", answer.status, answer.body)
    assert answer.status in {200, 400, 404, 501}, (one, answer.body)
    assert answer.status != 501 or one.path.startswith("/v1/images"), (one, answer.body)
    return answer.status


def test_no_body_breaks_the_service_or_its_engine(gpt: GptService) -> None:
    state = gpt.directory / "data" / "engine.json"
    before = json.loads(state.read_text())
    seen = send_all(gpt, COUNT, SEED)
    assert engine_state(gpt.directory) == "ready"
    assert json.loads(state.read_text())["pid"] == before["pid"], "the engine was restarted"
    assert seen[200] > COUNT // 10
    assert seen[400] > COUNT // 10

from typing import Any

import pytest

from tests.openai_schema import assert_reply


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/fine_tuning/jobs"),
        ("GET", "/v1/fine_tuning/jobs"),
        ("GET", "/v1/fine_tuning/jobs/ftjob-1/events"),
        ("POST", "/v1/fine-tunes"),
        ("GET", "/v1/fine-tunes"),
        ("GET", "/v1/fine-tunes/ft-1/events?stream=true"),
        ("POST", "/v1/fine-tunes/ft-1/cancel"),
    ],
)
def test_it_is_said_that_fine_tuning_is_not_built(call: Any, method: str, path: str) -> None:
    reply = call(
        method, path, **({"json": {"training_file": "file-1"}} if method == "POST" else {})
    )
    assert reply.status_code == 501
    error = assert_reply(path, method, 501, reply.content)["error"]
    assert "not built yet" in error["message"]
    assert reply.headers["x-should-retry"] == "false"
    assert error["code"] == "not_offered"


def test_it_needs_a_key(service: Any) -> None:
    assert service.get("/v1/fine-tunes").status_code == 401

"""Long chats of one key do not hold up another key's short one, whatever worker they are with."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.attacks.chats import chatting, long_chat
from tests.clients.event_stream import post
from tests.clients.gpt_service import GptService, serving_gpt
from tests.journeys.running import new_key
from tests.sizes import sized

CHATS, CHOICES, TOKENS = 20, 8, 1000
ASKED = sized(2, 4)
PATIENCE = 10.0
"""Seconds: twice the promise, for a machine that does something else besides."""

SHORT = {"model": "gpt-4", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptService]:
    settings = {"PLUGIN_WORKERS": "2"}
    with serving_gpt(tmp_path_factory.mktemp("fairness"), settings) as service:
        yield service


async def test_a_short_chat_beside_an_attack(gpt: GptService) -> None:
    port = gpt.running.address.port
    victim = await asyncio.to_thread(new_key, gpt.directory)
    async with chatting(port, gpt.key, CHATS, long_chat(CHOICES, TOKENS)) as attack:
        await asyncio.sleep(1.5)
        for _ in range(ASKED):
            answered = await post(port, "/v1/chat/completions", victim["key"], SHORT)
            assert (answered.status, answered.took < PATIENCE) == (200, True), answered.took
    assert not attack.failed, attack.errors


async def test_the_attacker_leaves_nothing_behind(gpt: GptService) -> None:
    port = gpt.running.address.port
    async with chatting(port, gpt.key, CHATS, long_chat(CHOICES, TOKENS)):
        await asyncio.sleep(1.5)
    began = time.monotonic()
    answers = await asyncio.gather(
        *(post(port, "/v1/chat/completions", gpt.key, SHORT) for _ in range(4))
    )
    assert [one.status for one in answers] == [200] * 4
    assert time.monotonic() - began < PATIENCE

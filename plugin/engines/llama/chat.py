"""Chat completions of the embedded model: whole and streamed, one choice or many."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from secrets import token_hex

from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.llama.chat_ask import ChatAsk, Delta
from plugin.engines.llama.chat_reply import DONE, ChatReply, WholeChoice
from plugin.engines.llama.chat_request import read_chat
from plugin.engines.llama.choices import begun, merged
from plugin.engines.llama.counted import Counted
from plugin.engines.llama.decoded import decoded
from plugin.engines.llama.link import Link
from plugin.engines.llama.refusals import BrokenOff
from plugin.engines.llama.structured import structured
from plugin.engines.llama.tool_calling.calls import ToolCaller
from plugin.messages import AnsweredBy


async def chat(
    link: Link, tools: ToolCaller, ask: Ask, fingerprint: str, answered_by: AnsweredBy
) -> Whole | Events:
    """Answer `chat/completions`."""
    asks = read_chat(ask)
    body = ask.body
    reply = ChatReply(
        id=f"chatcmpl-{token_hex(12)}",
        created=int(time.time()),
        model=ask.requested,
        fingerprint=fingerprint,
        functions="functions" in body,
        usage_asked=bool((body.get("stream_options") or {}).get("include_usage")),
        alternatives=body.get("top_logprobs", 0),
    )
    counted = Counted(len(asks), of_one_prompt=len(asks))
    if ask.stream:
        deltas = await begun(merged([_turn(link, tools, each) for each in asks]))
        return Events(_streamed(deltas, reply, counted), answered_by, counted.total)
    try:
        choices = await _written(link, tools, asks, counted)
    except BrokenOff:  # nothing was sent, so it may begin anew
        choices = await _written(link, tools, asks, counted)
    return Whole(reply.whole(choices, counted.total), counted.total, answered_by)


async def _written(
    link: Link, tools: ToolCaller, asks: Sequence[ChatAsk], counted: Counted
) -> list[WholeChoice]:
    """Every choice to its end."""
    choices = [WholeChoice() for _ in asks]
    async with aclosing(merged([_turn(link, tools, each) for each in asks])) as deltas:
        async for index, delta in deltas:
            choices[index].add(delta)
            counted.add(index, delta.usage)
    return choices


async def _turn(link: Link, tools: ToolCaller, ask: ChatAsk) -> AsyncGenerator[Delta]:
    """What the assistant says in one choice: a call, or a text."""
    async with aclosing(await _chosen(link, tools, ask)) as said:
        async for delta in said:
            yield delta


async def _chosen(link: Link, tools: ToolCaller, ask: ChatAsk) -> AsyncGenerator[Delta]:
    calls = await tools.turn(ask)
    if calls is not None:
        return calls
    return await structured(link, tools.work, ask) if ask.response_format else decoded(link, ask)


async def _streamed(
    deltas: AsyncGenerator[tuple[int, Delta]], reply: ChatReply, counted: Counted
) -> AsyncGenerator[bytes]:
    begun_choices: set[int] = set()
    async with aclosing(deltas):
        async for index, delta in deltas:
            counted.add(index, delta.usage)
            told = reply.chunks(index, delta)
            if index not in begun_choices:
                begun_choices.add(index)
                told = reply.first(index) + told
            if told:
                yield told
    yield reply.usage_chunk(counted.total) + DONE

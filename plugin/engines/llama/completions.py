"""Legacy completions of the embedded model: one prompt or many, whole and streamed."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from secrets import token_hex
from typing import Any

from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.llama.chat_ask import Delta
from plugin.engines.llama.chat_reply import DONE
from plugin.engines.llama.choices import begun, merged
from plugin.engines.llama.completion_reply import CompletionReply, Text
from plugin.engines.llama.completion_request import CompletionAsk, read_completion
from plugin.engines.llama.counted import Counted
from plugin.engines.llama.decoded import deltas
from plugin.engines.llama.link import Link
from plugin.engines.llama.prompt_scores import prompt_scores
from plugin.engines.llama.refusals import BrokenOff, too_long
from plugin.messages import AnsweredBy, Usage

_PATH = "/v1/completions"


async def complete(
    link: Link, ask: Ask, fingerprint: str, answered_by: AnsweredBy
) -> Whole | Events:
    """Answer `completions`."""
    prompts = read_completion(ask)
    asks = [each for texts in prompts for each in texts]
    body = ask.body
    reply = CompletionReply(
        id=f"cmpl-{token_hex(12)}",
        created=int(time.time()),
        model=ask.requested,
        fingerprint=fingerprint,
        usage_asked=bool((body.get("stream_options") or {}).get("include_usage")),
        alternatives=body.get("logprobs"),
    )
    counted = Counted(len(asks), of_one_prompt=len(prompts[0]))
    if ask.stream:
        told = await begun(merged([_text(link, each) for each in asks]))
        texts = [Text() for _ in asks]
        return Events(_streamed(told, reply, texts, counted), answered_by, counted.total)
    try:
        texts = await _written(link, asks, counted)
    except BrokenOff:  # nothing was sent, so it may begin anew
        texts = await _written(link, asks, counted)
    chosen = _best(texts, len(prompts[0]), body.get("n", 1))
    return Whole(reply.whole(chosen, counted.total), counted.total, answered_by)


async def _written(link: Link, asks: Sequence[CompletionAsk], counted: Counted) -> list[Text]:
    """Every text to its end."""
    texts = [Text() for _ in asks]
    async with aclosing(merged([_text(link, each) for each in asks])) as told:
        async for index, delta in told:
            texts[index].add(delta)
            counted.add(index, delta.usage)
    return texts


def _best(texts: Sequence[Text], each: int, n: int) -> list[Text]:
    """The `n` likeliest of the `each` texts of every prompt."""
    if each == n:
        return list(texts)
    chosen: list[Text] = []
    for begin in range(0, len(texts), each):
        ranked = sorted(texts[begin : begin + each], key=Text.likelihood, reverse=True)
        chosen += ranked[:n]
    return chosen


async def _streamed(
    told: AsyncGenerator[tuple[int, Delta]],
    reply: CompletionReply,
    texts: Sequence[Text],
    counted: Counted,
) -> AsyncGenerator[bytes]:
    async with aclosing(told):
        async for index, delta in told:
            counted.add(index, delta.usage)
            chunk = reply.chunk(index, delta, texts[index])
            if chunk:
                yield chunk
    yield reply.usage_chunk(counted.total) + DONE


async def _text(link: Link, ask: CompletionAsk) -> AsyncGenerator[Delta]:
    """One text: the prompt if it is to be echoed, then what the model writes."""
    if ask.max_tokens < 1:
        # the engine would write one token all the same
        async for delta in _prompt_alone(link, ask):
            yield delta
        return
    # before the writing, which holds a place with the engine until it ends
    echo = await _echo(link, ask)
    # begun first: a prompt that is refused is not echoed
    written = await begun(deltas(link, _PATH, ask.body))
    async with aclosing(written):
        if echo is not None:
            yield echo
        async for delta in written:
            yield delta


async def _prompt_alone(link: Link, ask: CompletionAsk) -> AsyncGenerator[Delta]:
    tokens = await _tokens(link, ask)
    echo = await _echo(link, ask)
    if echo is not None:
        yield echo
    yield Delta(finish="length", usage=Usage(prompt_tokens=len(tokens)))


async def _echo(link: Link, ask: CompletionAsk) -> Delta | None:
    if not ask.echo:
        return None
    text = ask.prompt
    if not isinstance(text, str):
        answer: Any = await link.post("text", "/detokenize", {"tokens": text})
        text = str(answer["content"])
    if ask.alternatives is None:
        return Delta(content=text)
    await _tokens(link, ask)
    return Delta(content=text, logprobs=await prompt_scores(link, text, ask.alternatives))


async def _tokens(link: Link, ask: CompletionAsk) -> Sequence[int]:
    tokens = ask.prompt
    if isinstance(tokens, str):
        answer: Any = await link.post("text", "/tokenize", {"content": tokens})
        tokens = list[int](answer["tokens"])
    if len(tokens) >= link.context() > 0:
        raise too_long(len(tokens), link.context(), "prompt")
    return tokens

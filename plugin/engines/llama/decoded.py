"""What the embedded model writes, as it comes: the engine's events told as deltas."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from plugin.engines.llama.chat_ask import ChatAsk, Delta
from plugin.engines.llama.link import Link
from plugin.engines.llama.refusals import BrokenOff, stopped_twice
from plugin.messages import Usage

_CHAT = "/v1/chat/completions"
_TURNS = 3
"""How often a request without a grammar is begun: others may stop the engine twice."""

IMPOSSIBLE = -9999.0
"""The GPT API's logprob of what cannot come."""


def decoded(
    link: Link, ask: ChatAsk, schema: str | None = None, **changed: Any
) -> AsyncGenerator[Delta]:
    """The deltas of plain text; `changed` are members of the engine's request.

    `schema` is the parameter of the caller's request that the grammar was made of. The first delta
    says nothing and comes as soon as the engine has taken the request. Closing the iterator stops
    the work.
    """
    return deltas(link, _CHAT, ask.body(**changed), schema)


async def deltas(
    link: Link, path: str, body: Mapping[str, Any], schema: str | None = None
) -> AsyncGenerator[Delta]:
    """Yield the deltas of a stream of the text server: a chat or a plain completion.

    If the engine stops before it has written anything, it is asked again. Requests with a grammar
    are asked again one at a time, once: the one under which it stops twice is refused.
    """
    again: AbstractAsyncContextManager[None] = nullcontext()
    for left in reversed(range(_TURNS if schema is None else 2)):
        told = False
        try:
            async with again, link.events(path, body) as events:
                async for event in events:
                    delta = _delta(event)
                    told = told or bool(delta.content)
                    yield delta
        except BrokenOff:
            if told or not (left or schema):
                raise
            if not left:
                raise stopped_twice(str(schema)) from None
            again = nullcontext() if schema is None else link.suspects
        else:
            return


def _delta(event: Mapping[str, Any]) -> Delta:
    choice = event["choices"][0] if event["choices"] else {}
    return Delta(
        content=choice.get("text") or (choice.get("delta") or {}).get("content"),
        finish=choice.get("finish_reason"),
        logprobs=logprobs_of(choice),
        usage=usage_of(event),
    )


def usage_of(event: Mapping[str, Any]) -> Usage | None:
    """What the answer took up to this event, if it says so."""
    total, timings = event.get("usage"), event.get("timings")
    if "prompt_progress" in event:
        return Usage(event["prompt_progress"]["total"])
    if total is not None:
        return Usage(total["prompt_tokens"], total["completion_tokens"])
    if timings is not None:
        return Usage(timings["cache_n"] + timings["prompt_n"], timings["predicted_n"])
    return None


def logprobs_of(choice: Mapping[str, Any], *, end: bool = False) -> list[dict[str, Any]] | None:
    """The entries of `logprobs.content`, in OpenAI's shape.

    A token without text, the end of the text, is not a part of it; with `end` it is told too.
    """
    told = choice.get("logprobs")
    if not told or not told.get("content"):
        return None
    return [
        {**_entry(token), "top_logprobs": [_entry(other) for other in token["top_logprobs"]]}
        for token in told["content"]
        if token["bytes"] or end
    ]


def _entry(token: Mapping[str, Any]) -> dict[str, Any]:
    logprob = token.get("logprob")
    return {
        "token": token["token"],
        "logprob": IMPOSSIBLE if logprob is None else logprob,
        "bytes": token["bytes"],
    }

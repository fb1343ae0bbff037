"""What the embedded model writes, as it comes: the engine's events told as deltas."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from plugin.engines.llama.chat_ask import ChatAsk, Delta
from plugin.engines.llama.link import Link
from plugin.messages import Usage

_CHAT = "/v1/chat/completions"
IMPOSSIBLE = -9999.0
"""The GPT API's logprob of what cannot come."""


def decoded(link: Link, ask: ChatAsk, **changed: Any) -> AsyncGenerator[Delta]:
    """The deltas of plain text; `changed` are members of the engine's request.

    The first says nothing and comes as soon as the engine has taken the request. Closing the
    iterator stops the work.
    """
    return deltas(link, _CHAT, ask.body(**changed))


async def deltas(link: Link, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Delta]:
    """The deltas of whatever the text server streams, chat or plain completion."""
    async with link.events(path, body) as events:
        async for event in events:
            yield _delta(event)


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

"""How likely the model finds a prompt, token by token; the engine has no request for that."""

from collections.abc import Sequence
from typing import Any

from plugin.engines.llama.decoded import logprobs_of
from plugin.engines.llama.link import Link

_BEGIN = 0
"""The token between texts: what the first token of a prompt is measured after."""

_FORCED = 10_000.0


async def prompt_scores(
    link: Link, tokens: Sequence[int], alternatives: int
) -> list[dict[str, Any]]:
    """An entry of logprobs for each token.

    Each token is asked for as the one that follows those before it, with a bias that leaves no
    other; logprobs are told as they were before the bias. The engine keeps what it has read, so a
    token costs what decoding it would.
    """
    entries = []
    for place, token in enumerate(tokens):
        body = {
            "prompt": [_BEGIN, *tokens[:place]],
            "max_tokens": 1,
            "logit_bias": [[token, _FORCED]],
            "logprobs": max(1, alternatives),
            "temperature": 1,
        }
        answer = await link.post("text", "/v1/completions", body)
        told = logprobs_of(answer["choices"][0])
        entries += told or [await _nothing(link, token)]
    return entries


async def _nothing(link: Link, token: int) -> dict[str, Any]:
    """For a token that has no text of its own, such as the end of a turn."""
    text = (await link.post("text", "/detokenize", {"tokens": [token]}))["content"]
    return {"token": text, "logprob": 0.0, "bytes": list(text.encode()), "top_logprobs": []}

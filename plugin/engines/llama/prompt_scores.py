"""How likely the model finds a prompt, token by token; the engine has no request for that."""

from collections.abc import Iterator, Sequence
from typing import Any

from plugin.engines.llama.decoded import IMPOSSIBLE, logprobs_of
from plugin.engines.llama.link import Link

_BEGIN = 0
"""The token between texts: what the first token of a prompt is measured after."""

_FORCED = 10_000.0


async def prompt_scores(link: Link, prompt: str, alternatives: int) -> list[dict[str, Any]]:
    """An entry of logprobs for each token of a prompt.

    Each token is asked for as the one that follows those before it, with a bias that leaves no
    other; logprobs are told as they were before the bias. The engine keeps what it has read, so a
    token costs what decoding it would. A character of several tokens has one entry, with the
    logprob of its last token: the engine tells what it writes in the same way.
    """
    answer = await link.post("text", "/tokenize", {"content": prompt, "with_pieces": True})
    tokens = [piece["id"] for piece in answer["tokens"]]
    entries = []
    for end, content in _characters(answer["tokens"]):
        told = await _score(link, tokens[: end + 1], alternatives)
        text = content.decode(errors="replace")
        entries.append({**told, "token": text, "bytes": list(content)})
    return entries


def _characters(pieces: Sequence[dict[str, Any]]) -> Iterator[tuple[int, bytes]]:
    """Tokens, or as many as make whole characters: the place of the last, and the bytes."""
    content = b""
    for place, token in enumerate(pieces):
        piece = token["piece"]
        content += piece.encode() if isinstance(piece, str) else bytes(piece)
        try:
            content.decode()
        except UnicodeDecodeError:
            continue
        yield place, content
        content = b""
    if content:
        yield len(pieces) - 1, content


async def _score(link: Link, tokens: Sequence[int], alternatives: int) -> dict[str, Any]:
    """Logprob and alternatives of the last token after the others."""
    body = {
        "prompt": [_BEGIN, *tokens[:-1]],
        "max_tokens": 1,
        "logit_bias": [[tokens[-1], _FORCED]],
        "logprobs": max(1, alternatives),
        "temperature": 1,
    }
    answer = await link.post("text", "/v1/completions", body)
    told = logprobs_of(answer["choices"][0], end=True)
    return told[0] if told else {"logprob": IMPOSSIBLE, "top_logprobs": []}

"""A legacy completion's request, read into what each of its choices asks of the embedded model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.engines.engine import Ask
from plugin.engines.llama.chat_ask import STREAMED, seeded
from plugin.engines.llama.chat_request import choices_of
from plugin.engines.llama.infill import framed
from plugin.engines.llama.sampling import sampling, seed_of, stops
from plugin.engines.llama.token_ids import Prompt, are_token_ids, check_known
from plugin.errors import InvalidRequest

MOST_TEXTS = 128
"""That one request has written: prompts times choices."""

_DEFAULT_TOKENS = 16
_VOCABULARY = 49_152
_END_OF_TEXT = 0
"""The model's own token between texts: what comes after it begins a new one."""


@dataclass(frozen=True, slots=True)
class CompletionAsk:
    """What one text asks of the model; `body` is the engine's request for it.

    `prompt` is the caller's, which `echo` gives back; `alternatives` is how many tokens the
    logprobs name beside the chosen one, None without logprobs.
    """

    prompt: Prompt
    body: Mapping[str, Any]
    max_tokens: int
    echo: bool = False
    alternatives: int | None = None


def read_completion(ask: Ask) -> list[list[CompletionAsk]]:
    """For each prompt, one `CompletionAsk` for each text to be written."""
    body = ask.body
    prompts, each = _prompts(body.get("prompt", "")), _texts_each(body)
    if len(prompts) * each > MOST_TEXTS:
        raise InvalidRequest(
            f"{len(prompts)} prompts with {each} texts each; the embedded model writes at most "
            f"{MOST_TEXTS} a request. Send several requests.",
            param="prompt",
        )
    seeds = iter(range(len(prompts) * each))
    return [[_one(body, prompt, next(seeds)) for _ in range(each)] for prompt in prompts]


def _one(body: Mapping[str, Any], prompt: Prompt, choice: int) -> CompletionAsk:
    echo, suffix = bool(body.get("echo")), body.get("suffix")
    if echo and suffix:
        raise InvalidRequest("echo and suffix do not go together.", param="suffix")
    max_tokens = int(body.get("max_tokens", _DEFAULT_TOKENS))
    alternatives = body.get("logprobs")
    asked: dict[str, Any] = {
        "prompt": prompt if len(prompt) else [_END_OF_TEXT],
        **sampling(body),
        "stop": stops(body),
        "max_tokens": max_tokens,
        **STREAMED,
        **seeded(seed_of(body, choice)),
    }
    if suffix:
        asked |= framed(prompt, suffix, asked["stop"])
    if alternatives is not None or body.get("best_of", 1) > 1:
        asked["logprobs"] = max(1, alternatives or 0)
    return CompletionAsk(prompt, asked, max_tokens, echo, alternatives)


def _texts_each(body: Mapping[str, Any]) -> int:
    n = choices_of(body)
    best_of = choices_of(body, "best_of") if "best_of" in body else n
    if best_of < n:
        raise InvalidRequest(f"best_of is {best_of}, less than n, {n}.", param="best_of")
    if best_of > n and body.get("stream"):
        raise InvalidRequest(
            "The best texts are known only when all are written: best_of cannot be streamed.",
            param="best_of",
        )
    return best_of


def _prompts(given: Any) -> list[Prompt]:
    """A text, texts, token ids, or lists of them, as a list of prompts."""
    one = isinstance(given, str) or are_token_ids(given)
    prompts = [given] if one else list(_several(given))
    for prompt in prompts:
        if not isinstance(prompt, str):
            check_known(prompt, _VOCABULARY, "prompt")
    return prompts


def _several(given: Sequence[Any]) -> Iterator[Prompt]:
    if not given:
        raise InvalidRequest("prompt is an empty list.", param="prompt")
    for item in given:
        if not isinstance(item, str) and not are_token_ids(item):
            raise InvalidRequest(
                "prompt is a text, a list of texts, a list of token ids, or a list of such lists; "
                "the ids are those of the embedded model's own vocabulary.",
                param="prompt",
            )
        yield item

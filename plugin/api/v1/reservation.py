"""The most tokens that a request of the GPT API can take, reserved before an engine is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from plugin.gate.prices import Bound

_ADDED = 512
"""Tokens that doors and engines add to what was sent: templates, the instructions for tools."""

_UNKNOWN_ANSWER = 16_384
"""Tokens of an answer that nobody limits: neither the caller nor, as far as we know, the model."""


def bound(body: Mapping[str, Any], context: int | None) -> Bound:
    """The most tokens that the request `body` can take of a model that reads `context` tokens.

    Tokenizers map each token to at least one byte of the text, and JSON only makes a text longer,
    so the bytes of the body are more than the tokens of its text. Token ids take two bytes or more.
    """
    size = len(orjson.dumps(body, default=str)) + _ADDED
    if "input" in body and "messages" not in body and "instruction" not in body:
        return Bound(size, 0)  # vectors and moderations write nothing
    prompts, choices = _prompts(body.get("prompt")), _choices(body)
    tokens_in = size if context is None else min(size, context * prompts)
    return Bound(tokens_in, _longest(body, context) * prompts * choices)


def _prompts(prompt: Any) -> int:
    """How many texts are to be continued: one, unless a list of texts or of lists was sent."""
    if not isinstance(prompt, Sequence) or isinstance(prompt, str) or not prompt:
        return 1
    return 1 if isinstance(prompt[0], int) else len(prompt)


def _choices(body: Mapping[str, Any]) -> int:
    asked = (body.get("n"), body.get("best_of"), 1)
    return max(one for one in asked if isinstance(one, int))


def _longest(body: Mapping[str, Any], context: int | None) -> int:
    given = body.get("max_completion_tokens") or body.get("max_tokens")
    most = _UNKNOWN_ANSWER if context is None else context
    if not isinstance(given, int):
        return most
    return given if context is None else min(given, context)

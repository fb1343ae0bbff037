"""How tokens are chosen: the GPT API's parameters in the embedded engine's own names."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugin.errors import InvalidRequest

# What the model's makers advise. Without any parameter a model of this size does better so than
# at OpenAI's temperature of 1; a temperature that is given is taken at its word.
_ADVISED = {"temperature": 0.2, "top_p": 0.9}

# Kept whatever is asked for: at OpenAI's defaults (any of the 49,152 tokens, however unlikely)
# this model soon leaves the language it writes in.
_ALWAYS = {"top_k": 40, "min_p": 0.05}

# Against going in circles: what would repeat a run of nine tokens or more gets less likely, shorter
# ones and single words do not. Of 24 simple questions as many are answered right with it as
# without, and what an earlier turn said may be said again; from a run of four on, it may not.
# Who asks for OpenAI's penalties gets those alone. Nothing breaks a run, not even a new line: for
# each breaker the engine walks through its whole vocabulary at every request, six milliseconds in
# which nobody's text goes on. It skips an empty one, and takes its own four where none is sent.
_NO_CIRCLES = {
    "dry_multiplier": 0.8,
    "dry_allowed_length": 8,
    "dry_penalty_last_n": 512,
    "dry_sequence_breakers": [""],
}
_EVERYTHING = 8192
"""The model reads no more tokens than these."""

TOKENS_UNASKED = 512
"""Written at most where the caller sets no limit: what has not ended by then goes in circles."""

_PENALTIES = ("presence_penalty", "frequency_penalty")
_NEVER = -100
"""The bias at which the GPT API means: not at all."""

_RANDOM_SEED = 2**32 - 1
"""The engine takes this seed for none."""


def sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    """Temperature, top_p, penalties and bias of a request, for the engine."""
    chosen: dict[str, Any] = dict(_ALWAYS)
    if "temperature" in body:
        chosen |= {"temperature": body["temperature"], "top_p": body.get("top_p", 1)}
    else:
        chosen |= {**_ADVISED, **({"top_p": body["top_p"]} if "top_p" in body else {})}
    penalties = {name: body[name] for name in _PENALTIES if name in body}
    # over everything so far, as OpenAI counts, not over the engine's last 64 tokens
    chosen |= {**penalties, "repeat_last_n": _EVERYTHING} if penalties else _NO_CIRCLES
    if body.get("logit_bias"):
        chosen["logit_bias"] = _bias(body["logit_bias"])
    return chosen


def _bias(given: Mapping[str, Any]) -> list[list[Any]]:
    """Pairs of token id and bias; ids are those of this model's own vocabulary."""
    try:
        named = [(int(token), float(bias)) for token, bias in given.items()]
    except (ValueError, TypeError):
        raise InvalidRequest(
            "logit_bias maps token ids, as strings of digits, to numbers from -100 to 100; the ids "
            "are those of the embedded model's own vocabulary.",
            param="logit_bias",
        ) from None
    return [[token, False if bias <= _NEVER else bias] for token, bias in named]


def seed_of(body: Mapping[str, Any], choice: int) -> int | None:
    """The seed of a choice, in the engine's range: each choice has another, none if none came."""
    seed = body.get("seed")
    return None if seed is None else (int(seed) + choice) % _RANDOM_SEED


def stops(body: Mapping[str, Any]) -> Sequence[str]:
    """The texts before which to stop; an empty one would stop everything and says nothing."""
    stop = body.get("stop") or []
    return [text for text in ([stop] if isinstance(stop, str) else stop) if text]

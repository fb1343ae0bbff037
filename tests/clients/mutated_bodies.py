"""Bodies for the GPT API as a careless or hostile client writes them: good ones, changed somewhere.

Lengths of answers are kept small by what is not changed, so that thousands of bodies that turn out
to be good are answered in reasonable time.
"""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOOL = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather of a city",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "name of the city"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            },
            "required": ["location"],
        },
    },
}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "city",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
            "required": ["name", "size"],
            "additionalProperties": False,
        },
    },
}
USER = {"role": "user", "content": "What is the weather in Paris?"}

GOOD: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "/v1/chat/completions",
        {
            "model": "gpt-4",
            "messages": [{"role": "system", "content": "Be brief."}, USER],
            "max_tokens": 2,
            "temperature": 0.5,
            "top_p": 1,
            "n": 1,
            "stop": ["\n"],
            "seed": 7,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.1,
            "logit_bias": {"42": 1},
            "logprobs": True,
            "top_logprobs": 1,
            "user": "someone",
        },
    ),
    (
        "/v1/chat/completions",
        {
            "model": "gpt-4",
            "messages": [USER],
            "max_tokens": 2,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    (
        "/v1/chat/completions",
        {
            "model": "gpt-4",
            "messages": [USER],
            "max_tokens": 2,
            "tools": [TOOL],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
        },
    ),
    (
        "/v1/chat/completions",
        {
            "model": "gpt-4",
            "max_tokens": 2,
            "functions": [TOOL["function"]],
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "get_current_weather", "arguments": "{}"},
                },
                {"role": "function", "name": "get_current_weather", "content": "sunny"},
            ],
        },
    ),
    (
        "/v1/chat/completions",
        {"model": "gpt-4", "messages": [USER], "max_tokens": 4, "response_format": SCHEMA},
    ),
    (
        "/v1/completions",
        {
            "model": "davinci",
            "prompt": ["Once upon a time", "Then"],
            "max_tokens": 2,
            "logprobs": 1,
            "echo": True,
            "best_of": 1,
            "n": 1,
            "stop": ".",
        },
    ),
    ("/v1/completions", {"model": "davinci", "prompt": [1, 2, 3], "max_tokens": 2, "stream": True}),
    (
        "/v1/edits",
        {
            "model": "text-davinci-edit-001",
            "input": "teh",
            "instruction": "Fix the spelling.",
            "n": 1,
            "temperature": 0,
        },
    ),
    (
        "/v1/embeddings",
        {
            "model": "text-embedding-ada-002",
            "input": ["a cat", "a dog"],
            "encoding_format": "base64",
            "dimensions": 16,
        },
    ),
    ("/v1/moderations", {"model": "omni-moderation-latest", "input": ["I like you."]}),
    ("/v1/images/generations", {"prompt": "a cat", "n": 1, "size": "256x256"}),
)

KEPT = frozenset({"max_tokens"})
"""Members that only another small number replaces."""

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3.0, 0.5, 1e308, 10**30, -(2**63), "", " ", "x", "gpt-4"),
    *("北京", "😀" * 3, "\u0000", "\ud800", "\u202e", "<|im_start|>", "<|im_end|>", "a" * 5000),
    *([], [None], [1], ["x"], [[]], [[1, 2]], {}, {"a": 1}, {"type": "text"}, {"a": {"b": []}}),
    *("auto", "required", "json_object", {"type": "json_object"}, {"$ref": "#"}, [USER], "tool"),
    *({"type": "function", "function": {"name": "f"}}, {"pattern": "(a+)+$"}, 2**31, 2**53 + 1),
)


@dataclass(frozen=True)
class Mutated:
    """A request: what to post where."""

    path: str
    body: bytes


def mutated(count: int, seed: int) -> Iterator[Mutated]:
    """So many, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - the same bodies at each run
    for number in range(count):
        path, good = GOOD[number % len(GOOD)]
        body = copy.deepcopy(good)
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            _change(dice, body)
        text = json.dumps(body, ensure_ascii=dice.random() < 0.5).encode(errors="surrogatepass")
        yield Mutated(path, _in_bytes(dice, text) if dice.random() < 0.1 else text)


def _change(dice: random.Random, body: dict[str, Any]) -> None:
    place, key = _somewhere(dice, body)
    if key is None:
        return
    if key in KEPT:
        place[key] = dice.choice((1, 2, 0, -1, "2", 2.0, 2.5, [], True))
    elif isinstance(place, dict):
        _change_member(dice, place, key)
    elif dice.random() < 0.2:
        place.extend([place[key]] * dice.choice((1, 3, 200)))
    else:
        place[key] = _junk(dice)


def _somewhere(dice: random.Random, body: dict[str, Any]) -> tuple[Any, Any]:
    """A container in the body, and one of its keys."""
    place: Any = body
    while keys := list(place) if isinstance(place, dict) else list(range(len(place))):
        key = dice.choice(keys)
        inside = place[key]
        if not (isinstance(inside, dict | list) and inside and dice.random() < 0.7):
            return place, key
        place = inside
    return place, None


def _change_member(dice: random.Random, place: dict[str, Any], key: str) -> None:
    match dice.randrange(5):
        case 0:
            del place[key]
        case 1:
            place[dice.choice(("zzz", key.upper(), f"{key} ", "", "__proto__"))] = place[key]
        case _:
            place[key] = _junk(dice)


def _junk(dice: random.Random) -> Any:
    match dice.randrange(4):
        case 0:
            return dice.choice((1, -1)) * dice.choice((dice.randrange(300), dice.random() * 4))
        case 1:
            return "".join(
                chr(dice.choice((32, 65, 97, 0x4E00, 0x1F600)) + dice.randrange(26))
                for _ in range(dice.randrange(40))
            )
        case _:
            return copy.deepcopy(dice.choice(JUNK))


def _in_bytes(dice: random.Random, text: bytes) -> bytes:
    at = dice.randrange(len(text))
    match dice.randrange(4):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + bytes([dice.randrange(256)]) + text[at + 1 :]
        case 2:
            return text[:at] + text[at // 2 : at] + text[at:]
        case _:
            return b"[" * dice.choice((10, 3000)) + text

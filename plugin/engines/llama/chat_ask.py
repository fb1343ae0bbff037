"""One choice of a chat completion as the embedded model is asked for it, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plugin.messages import Usage

ToolChoice = Literal["auto", "none", "required"]

STREAMED: Mapping[str, Any] = {
    "stream": True,
    # each event then says how many tokens it took so far: known even if the caller leaves
    "timings_per_token": True,
    "stream_options": {"include_usage": True},
    # events while the prompt is read: without, a caller who leaves is noticed only after it
    "return_progress": True,
}
"""What every request for a text says to the engine."""


def seeded(seed: int | None) -> Mapping[str, Any]:
    """The members of the engine's request that make it say the same again."""
    # a reused prompt is decoded in other batches, and other batches round differently
    return {} if seed is None else {"seed": seed, "cache_prompt": False}


@dataclass(frozen=True, slots=True)
class ChatAsk:
    """What one choice asks of the model.

    `messages` are what its template reads: roles system, user and assistant, each with a text, tool
    calls and their results told in words. `given` are the messages as they came. `sampling` holds
    the engine's own names.
    `tools` have the shape of chat completions, `{"type": "function", "function": {…}}`, whichever
    shape they came in; `named` is the one function that must be called, if the caller named one.
    `response_format` is absent where plain text is asked for.
    """

    messages: Sequence[Mapping[str, str]]
    given: Sequence[Mapping[str, Any]]
    sampling: Mapping[str, Any]
    max_tokens: int = 512
    seed: int | None = None
    stop: Sequence[str] = ()
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: ToolChoice = "auto"
    named: str | None = None
    parallel: bool = True
    response_format: Mapping[str, Any] | None = None

    def body(self, **changed: Any) -> dict[str, Any]:
        """The request for the engine's `/v1/chat/completions`, streamed; `changed` goes last."""
        body: dict[str, Any] = {
            "messages": self.messages,
            **self.sampling,
            "stop": self.stop,
            "max_tokens": self.max_tokens,
            **STREAMED,
            **seeded(self.seed),
        }
        if "grammar" in changed:
            body["dry_multiplier"] = 0  # for prose; what a grammar describes has to repeat itself
        body |= changed
        if not body.get("logprobs"):
            body.pop("top_logprobs", None)  # refused without the other
        return body


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a tool call: `id` and `name` come once, in the first piece of that `index`."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What came next in one choice.

    `finish` is set in the last one: `stop`, `length` or `tool_calls`. `logprobs` are entries as in
    OpenAI's `logprobs.content`. `usage` is what the choice has taken up to here.
    """

    content: str | None = None
    calls: Sequence[CallPiece] = ()
    finish: str | None = None
    logprobs: Sequence[Mapping[str, Any]] | None = None
    usage: Usage | None = None

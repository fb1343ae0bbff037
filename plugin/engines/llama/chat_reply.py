"""Deltas as the GPT API tells them: chunks of a stream, or one whole chat completion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from plugin.engines.llama.chat_ask import CallPiece, Delta
from plugin.messages import Usage

DONE = b"data: [DONE]\n\n"

Object = dict[str, Any]


def usage_object(usage: Usage) -> Object:
    """`usage` of a reply."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What every piece of one reply says; `alternatives` is how many a token's logprobs name.

    With `functions` a call is told in the old shape, with `usage_asked` a stream ends with usage.
    """

    id: str
    created: int
    model: str
    fingerprint: str
    functions: bool = False
    usage_asked: bool = False
    alternatives: int = 0

    def first(self, index: int) -> bytes:
        """The chunk that a choice begins with."""
        return self._chunk(index, {"role": "assistant", "content": ""})

    def chunks(self, index: int, delta: Delta) -> bytes:
        """The events of one delta; none for one that says nothing to the caller."""
        told = b""
        if delta.content:
            told = self._chunk(index, {"content": delta.content}, delta.logprobs)
        for piece in delta.calls:
            told += self._chunk(index, self._call(piece))
        if delta.finish:
            told += self._chunk(index, {}, finish=self._reason(delta.finish))
        return told

    def usage_chunk(self, usage: Usage) -> bytes:
        """The last chunk of a stream, if usage was asked for."""
        if not self.usage_asked:
            return b""
        return event(self._head("chat.completion.chunk", [], usage=usage_object(usage)))

    def whole(self, choices: Sequence["WholeChoice"], usage: Usage) -> bytes:
        """The chat completion in one piece."""
        told = [self._choice(index, choice) for index, choice in enumerate(choices)]
        return orjson.dumps(self._head("chat.completion", told, usage=usage_object(usage)))

    def _head(self, kind: str, choices: Sequence[Object], **more: Any) -> Object:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
            **more,
        }

    def _chunk(
        self,
        index: int,
        delta: Object,
        logprobs: Sequence[Mapping[str, Any]] | None = None,
        finish: str | None = None,
    ) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": self._logprobs(logprobs),
            "finish_reason": finish,
        }
        more = {"usage": None} if self.usage_asked else {}
        return event(self._head("chat.completion.chunk", [choice], **more))

    def _logprobs(self, entries: Sequence[Mapping[str, Any]] | None) -> Object | None:
        if entries is None:
            return None
        few = [
            {**entry, "top_logprobs": entry["top_logprobs"][: self.alternatives]}
            for entry in entries
        ]
        return {"content": few, "refusal": None}

    def _call(self, piece: CallPiece) -> Object:
        function: Object = {"arguments": piece.arguments}
        if piece.name is not None:
            function = {"name": piece.name, **function}
        if self.functions:
            return {"function_call": function}
        begin = {} if piece.id is None else {"id": piece.id, "type": "function"}
        return {"tool_calls": [{"index": piece.index, **begin, "function": function}]}

    def _choice(self, index: int, choice: "WholeChoice") -> Object:
        return {
            "index": index,
            "message": {
                "role": "assistant",
                "content": "".join(choice.texts) if choice.texts or not choice.calls else None,
                "refusal": None,
                "annotations": [],
                **self._called(choice),
            },
            "logprobs": self._logprobs(choice.logprobs or None),
            "finish_reason": self._reason(choice.finish),
        }

    def _called(self, choice: "WholeChoice") -> Object:
        calls = [choice.calls[index] for index in sorted(choice.calls)]
        if not calls:
            return {}
        if self.functions:
            return {"function_call": calls[0]["function"]}
        return {"tool_calls": calls}

    def _reason(self, finish: str) -> str:
        return "function_call" if self.functions and finish == "tool_calls" else finish


@dataclass(slots=True)
class WholeChoice:
    """The deltas of a choice, gathered."""

    texts: list[str] = field(default_factory=list)
    calls: dict[int, Object] = field(default_factory=dict)
    logprobs: list[Mapping[str, Any]] = field(default_factory=list)
    finish: str = "stop"

    def add(self, delta: Delta) -> None:
        """Take up what came next."""
        if delta.content:
            self.texts.append(delta.content)
        self.logprobs += delta.logprobs or ()
        self.finish = delta.finish or self.finish
        for piece in delta.calls:
            self._add_call(piece)

    def _add_call(self, piece: CallPiece) -> None:
        empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        call = self.calls.setdefault(piece.index, empty)
        call["id"] = piece.id or call["id"]
        call["function"]["name"] = piece.name or call["function"]["name"]
        call["function"]["arguments"] += piece.arguments

"""Deltas as the GPT API tells a legacy completion: chunks of a stream, or one whole reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from plugin.engines.llama.chat_ask import Delta
from plugin.engines.llama.chat_reply import event, usage_object
from plugin.messages import Usage

Object = dict[str, Any]
Entry = Mapping[str, Any]


@dataclass(slots=True)
class Text:
    """The deltas of one text, gathered; `offset` is where its next logprobs begin."""

    pieces: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    finish: str = "stop"
    offset: int = 0

    def add(self, delta: Delta) -> None:
        """Take up what came next."""
        if delta.content:
            self.pieces.append(delta.content)
        self.entries += delta.logprobs or ()
        self.finish = delta.finish or self.finish

    def likelihood(self) -> float:
        """The mean logprob of its tokens, by which the best of several is chosen."""
        known = [entry["logprob"] for entry in self.entries]
        return sum(known) / len(known) if known else float("-inf")


@dataclass(frozen=True, slots=True)
class CompletionReply:
    """What every piece of one reply says; `alternatives` is None where logprobs are not asked."""

    id: str
    created: int
    model: str
    fingerprint: str
    usage_asked: bool = False
    alternatives: int | None = None

    def chunk(self, index: int, delta: Delta, text: Text) -> bytes:
        """The event of one delta, if it says anything; `text` knows the offset of its logprobs."""
        if not (delta.content or delta.finish):
            return b""
        choice = self._choice(index, delta.content or "", delta.logprobs or (), text)
        told = {**choice, "finish_reason": delta.finish}
        return event(self._head([told], **({"usage": None} if self.usage_asked else {})))

    def usage_chunk(self, usage: Usage) -> bytes:
        """The last chunk of a stream, if usage was asked for."""
        return event(self._head([], usage=usage_object(usage))) if self.usage_asked else b""

    def whole(self, texts: Sequence[Text], usage: Usage) -> bytes:
        """The reply in one piece."""
        choices = [
            {
                **self._choice(index, "".join(text.pieces), text.entries, text),
                "finish_reason": text.finish,
            }
            for index, text in enumerate(texts)
        ]
        return orjson.dumps(self._head(choices, usage=usage_object(usage)))

    def _head(self, choices: Sequence[Object], **more: Any) -> Object:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
            **more,
        }

    def _choice(self, index: int, content: str, entries: Sequence[Entry], text: Text) -> Object:
        logprobs = None
        if self.alternatives is not None:
            logprobs = _legacy(entries, self.alternatives, text)
        return {"text": content, "index": index, "logprobs": logprobs}


def _legacy(entries: Sequence[Entry], alternatives: int, text: Text) -> Object:
    """Logprobs in the shape of legacy completions: four lists; the chosen token always named."""
    told: dict[str, list[Any]] = {
        "tokens": [],
        "token_logprobs": [],
        "top_logprobs": [],
        "text_offset": [],
    }
    for entry in entries:
        others = {_name(one): one["logprob"] for one in entry["top_logprobs"][:alternatives]}
        told["tokens"].append(_name(entry))
        told["token_logprobs"].append(entry["logprob"])
        told["top_logprobs"].append({_name(entry): entry["logprob"], **others})
        told["text_offset"].append(text.offset)
        text.offset += len(bytes(entry["bytes"]).decode(errors="ignore"))
    return told


def _name(entry: Entry) -> str:
    """A token as a text; a part of a character as OpenAI writes it."""
    content = bytes(entry["bytes"])
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)

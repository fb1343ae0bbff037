"""The promise of an engine: it answers requests of the GPT API for its models."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from plugin.messages import AnsweredBy, Usage

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart form as it came, for endpoints that take files; the engine passes it on."""

    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to an engine, already checked against what the GPT API allows.

    `path` is the endpoint below `/v1/` (`chat/completions`). `body` is the JSON object that came,
    without the members that were null; it still says `requested`, the caller's name of the model,
    which the reply carries too. `model` is the engine's own name of it. `unknown` are the members
    of `body` that the GPT API does not know: for an engine to honour or to refuse. `caller` is the
    id of the caller, whose requests share one place in each engine's queue; empty for work that the
    service does on its own account.
    """

    path: str
    body: Mapping[str, Any]
    requested: str
    model: str
    unknown: tuple[str, ...] = ()
    upload: Upload | None = None
    caller: str = ""

    @property
    def stream(self) -> bool:
        """Whether an event stream is asked for."""
        return bool(self.body.get("stream"))


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece; `answered_by` names model and engine for a header."""

    body: bytes
    usage: Usage
    answered_by: AnsweredBy
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Events:
    """An answer as server-sent events: `pieces` are bytes for the caller, `[DONE]` included.

    It exists only once the engine has agreed: whatever is refused is raised before. `pieces` raises
    a `PluginError` when the answer breaks off, and is closed (`aclose`) when the caller leaves: the
    engine then stops. `usage` is complete when `pieces` has ended or was closed.
    """

    pieces: AsyncIterator[bytes]
    answered_by: AnsweredBy
    usage: Usage = field(default_factory=Usage)


class Engine(Protocol):
    """Answers for one or more models. Cancelling `answer` stops the work."""

    async def answer(self, ask: Ask) -> Whole | Events:
        """Carry out a request.

        Raises `InvalidRequest`, `ContextLengthExceeded`, `EngineUnavailable`, `UpstreamRefused`,
        `NotOffered`, each before anything was answered.
        """

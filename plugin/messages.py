"""The vocabulary that crosses rooms: what a model issued, and what answering it took."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a model issued.

    `arguments` is as on the wire: text where the format carries text, an object where it carries an
    object, None where it was absent. `id` is the provider's, None where the format has none.
    """

    id: str | None
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Which model answered, and which engine or upstream runs it; no `provider` for our own code.

    As text, for the `openai-model` header and the ledger: `small; engine=embedded`.
    """

    model: str
    provider: str | None = None

    def __str__(self) -> str:
        return self.model if self.provider is None else f"{self.model}; engine={self.provider}"


@dataclass(slots=True)
class Usage:
    """Tokens that an answer took, by the engine's count; grows while a stream goes on."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

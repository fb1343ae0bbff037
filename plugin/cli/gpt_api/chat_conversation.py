"""The conversation of `plugin chat`: what was said, and asking for the next reply."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin.cli.gpt_api.api_client import Client, as_json
from plugin.cli.gpt_api.api_refusals import CallFailed
from plugin.cli.gpt_api.api_replies import pieces

_TOO_LONG = "context_length_exceeded"


@dataclass(slots=True)
class Conversation:
    """Turns of question and reply. `left_out` counts the oldest, which are kept but not sent."""

    client: Client
    model: str
    system: str | None
    options: Mapping[str, Any]
    on_left_out: Callable[[], None]
    turns: list[tuple[str, str]] = field(default_factory=list)
    left_out: int = 0
    ended: str | None = None
    """Why the last reply ended, as the service says it."""

    @property
    def where(self) -> str:
        """The address that is asked."""
        return self.client.base_url

    def ask(self, question: str) -> Iterator[str]:
        """The pieces of the reply; the turn is kept when it is whole. Raises CallFailed."""
        said: list[str] = []
        self.ended = None
        for piece, ended in self._answered(question):
            said.append(piece)
            self.ended = ended or self.ended
            yield piece
        self.turns.append((question, "".join(said)))

    def messages(self, since: int = 0) -> list[dict[str, str]]:
        """What was said from a turn on, as the API takes it."""
        found = [{"role": "system", "content": self.system}] if self.system else []
        for question, reply in self.turns[since:]:
            found.append({"role": "user", "content": question})
            found.append({"role": "assistant", "content": reply})
        return found

    def reset(self) -> None:
        """Forget what was said."""
        self.turns.clear()
        self.left_out = 0

    def save(self, file: Path) -> None:
        """Write all messages; a `.jsonl` file gets one a line. Never over a file that is there."""
        said = self.messages()
        text = "".join(f"{json.dumps(message, ensure_ascii=False)}\n" for message in said)
        if file.suffix != ".jsonl":
            text = json.dumps(said, ensure_ascii=False, indent=2) + "\n"
        with file.open("x", encoding="utf-8") as out:
            out.write(text)

    def _answered(self, question: str) -> Iterator[tuple[str, str | None]]:
        while True:
            body = {
                "model": self.model,
                "messages": [
                    *self.messages(self.left_out),
                    {"role": "user", "content": question},
                ],
                "stream": True,
                **self.options,
            }
            try:
                yield from pieces(self.client.events("/chat/completions", as_json(body)))
            except CallFailed as error:
                if error.code != _TOO_LONG or self.left_out >= len(self.turns):
                    raise
                self.left_out += 1
                self.on_left_out()
            else:
                return

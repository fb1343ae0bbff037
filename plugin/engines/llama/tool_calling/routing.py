"""Which tools a request asks for: by its meaning (vectors), in Chinese by the words it shares."""

import hashlib
import math
import re
from array import array
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

from plugin.engines.llama.link import Link
from plugin.engines.llama.vectors import encoded_vectors
from plugin.engines.llama.words import chinese as chinese_words
from plugin.engines.llama.words import message as message_words
from plugin.engines.llama.words.clauses import ASKING, clauses, enumerated
from plugin.errors import ContextLengthExceeded

Tool = Mapping[str, Any]
Vectors = OrderedDict[bytes, Sequence[float]]

SMALL_TALK = (
    "Hello, how are you?",
    "Hi there!",
    "Good evening",
    "Goodbye",
    "Thank you very much",
    "Tell me a joke",
    "Who are you and what can you do?",
    "What is the capital of France?",
    "Who invented the telephone?",
    "Explain how gravity works",
    "Why do birds sing?",
    "Write a poem about love",
    "Write a story about a dragon",
    "What do you think about art?",
    "Give me advice",
    "How many bones does a human have?",
    "What is the tallest mountain in the world?",
    "Teach me a language",
)
"""What no tool is needed for: a request nearer to one of these than to a tool is answered."""


_REMIND = re.compile(r"\b(remind me|don't forget|not forget|let me forget)\b", re.IGNORECASE)
_REMINDER = "Add a reminder to the to-do list:"
"""Said before such a request when it is compared: alone it resembles what is to be done."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a tool is near enough; measured by tests/bench/bench_tool_calls.py.

    `margin` is how much farther than the nearest small talk a tool may be, `least` the cosine that
    it has at least, and `sure` the one at which small talk no longer counts; a clause beside others
    has to be nearer (`clause_margin`). `shared` counts what a Chinese request shares with a tool.
    """

    margin: float = -0.06
    least: float = 0.1
    sure: float = 0.42
    clause_margin: float = 0.0
    shared: int = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool (its place among the tools) that is asked for, and the words that ask for it."""

    tool: int
    text: str


@dataclass(frozen=True, slots=True)
class _Near:
    """The nearest tool to a text, and how near it is beyond the threshold."""

    tool: int
    beyond: float


class ToolRouter:
    """Finds the tools that a request asks for; keeps the vectors of `kept` tools and texts."""

    def __init__(
        self,
        link: Link,
        *,
        kept: int = 1024,
        by: Thresholds | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        self._link = link
        self._kept = kept
        self._by = by or Thresholds()
        self._vectors = Vectors() if vectors is None else vectors

    async def wanted(
        self, message: str, tools: Sequence[Tool], *, required: bool, parallel: bool
    ) -> list[Wanted]:
        """What `message` asks for; nothing where no tool fits, unless one is `required`."""
        parts = clauses(message)
        if len(parts) < 2:  # noqa: PLR2004 - one clause is the whole
            parts = []
        near, *each = await self._nearest([message, *parts], tools)
        if parallel and parts:
            several = self._several(message, parts, each, tools)
            if len(several) > 1:
                return several
        if required or near.beyond > 0:
            return self._listed(message, near.tool, tools, parallel=parallel)
        best = max(each, key=lambda one: one.beyond, default=near)
        if best.beyond <= self._clause_threshold:
            return []
        return [Wanted(best.tool, message)]

    @property
    def _clause_threshold(self) -> float:
        return self._by.clause_margin - self._by.margin

    def _listed(
        self, message: str, tool: int, tools: Sequence[Tool], *, parallel: bool
    ) -> list[Wanted]:
        """One call, or one for each name that the message lists."""
        texts = enumerated(message, _sole_parameter(tools[tool])) if parallel else []
        return [Wanted(tool, text) for text in texts or [message]]

    def _several(
        self, message: str, parts: Sequence[str], each: Sequence[_Near], tools: Sequence[Tool]
    ) -> list[Wanted]:
        """Clauses that ask each for a tool of its own, with the words that belong to them."""
        found: list[Wanted] = []
        before = ""
        for part, near in zip(parts, each, strict=True):
            asks = near.beyond > self._clause_threshold and (
                not found or _asks_anew(tools[near.tool], part, same=found[-1].tool == near.tool)
            )
            if asks:
                found.append(Wanted(near.tool, f"{before}{part}"))
                before = ""
            elif found:
                last = found.pop()
                joined = _joined(message, last.text, part)
                found.append(Wanted(last.tool, joined))
            else:
                before += f"{part}, "
        return found

    async def _nearest(self, texts: Sequence[str], tools: Sequence[Tool]) -> list[_Near]:
        """For each text the nearest tool."""
        if message_words.is_cjk(texts[0]):
            shared = [_most_shared(text, tools, self._by.shared) for text in texts]
            if any(near.beyond > 0 for near in shared):
                return shared
            near = await self._by_meaning(texts, tools)
            return [_Near(one.tool, -1.0) for one in near]
        return await self._by_meaning(texts, tools)

    async def _by_meaning(self, texts: Sequence[str], tools: Sequence[Tool]) -> list[_Near]:
        described = [tool_text(tool) for tool in tools]
        asking = [f"{_REMINDER} {text}" if _REMIND.search(text) else text for text in texts]
        vectors = await self._vectors_of([*asking, *described, *SMALL_TALK])
        asked = vectors[: len(texts)]
        offered = vectors[len(texts) : len(texts) + len(tools)]
        talk = vectors[len(texts) + len(tools) :]
        return [self._near(vector, offered, talk) for vector in asked]

    def _near(
        self,
        asked: Sequence[float],
        offered: Sequence[Sequence[float]],
        talk: Sequence[Sequence[float]],
    ) -> _Near:
        cosines = [_dot(asked, vector) for vector in offered]
        best = max(range(len(cosines)), key=cosines.__getitem__)
        nearest = max(_dot(asked, vector) for vector in talk)
        beyond = min(cosines[best] - nearest - self._by.margin, cosines[best] - self._by.least)
        return _Near(best, max(beyond, cosines[best] - self._by.sure))

    async def _vectors_of(self, texts: Sequence[str]) -> list[Sequence[float]]:
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        known = {key: self._vectors[key] for key in keys if key in self._vectors}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            known |= zip(missing, await self._ask(list(missing.values())), strict=True)
        for key in keys:
            self._vectors[key] = known[key]
            self._vectors.move_to_end(key)
        while len(self._vectors) > self._kept:
            self._vectors.popitem(last=False)
        return [known[key] for key in keys]

    async def _ask(self, texts: Sequence[str]) -> list[Sequence[float]]:
        try:
            return await self._post([_cut(text, _LONGEST) for text in texts])
        except ContextLengthExceeded:
            return await self._post([_cut(text, _SURE) for text in texts])

    async def _post(self, texts: Sequence[str]) -> list[Sequence[float]]:
        return [_unit(b64decode(each)) for each in await encoded_vectors(self._link, texts)]


_LONGEST = 480
_SURE = 150
"""Characters of a text that are compared, and that never have more tokens than the model reads."""


def tool_text(tool: Tool) -> str:
    """What of a tool is compared with a request: its name in words, and its description."""
    function = tool["function"]
    name = " ".join(message_words.words_of(function["name"]))
    return f"{name}. {function.get('description') or ''}".strip()


def _most_shared(text: str, tools: Sequence[Tool], threshold: int) -> _Near:
    scores = [_shared(text, tool) for tool in tools]
    best = max(range(len(scores)), key=scores.__getitem__)
    return _Near(best, scores[best] - threshold + 0.5)


def _shared(text: str, tool: Tool) -> int:
    """What a Chinese request and a tool have in common: subjects, words, values of enums."""
    about = f"{tool_text(tool)} {' '.join(_descriptions(tool))}"
    subjects = chinese_words.concepts(text) & chinese_words.concepts(tool_text(tool))
    words = chinese_words.pairs(text) & chinese_words.pairs(about)
    values = [value for value in _enum_values(tool) if len(value) > 1 and value in text]
    return 2 * len(subjects) + len(words) + 2 * len(values)


def _parameters(tool: Tool) -> Mapping[str, Any]:
    """The schema of what a tool takes; an empty one where it says nothing of it."""
    return tool["function"].get("parameters") or {}


def _properties(tool: Tool) -> Mapping[str, Any]:
    found = _parameters(tool).get("properties")
    return found if isinstance(found, dict) else {}


def _descriptions(tool: Tool) -> list[str]:
    schemas = [schema for schema in _properties(tool).values() if isinstance(schema, dict)]
    return [str(schema.get("description") or "") for schema in schemas]


def _enum_values(tool: Tool) -> list[str]:
    schemas = [schema for schema in _properties(tool).values() if isinstance(schema, dict)]
    listed = [schema["enum"] for schema in schemas if isinstance(schema.get("enum"), list)]
    return [value for values in listed for value in values if isinstance(value, str)]


def _sole_parameter(tool: Tool) -> str:
    """Name and description of the only parameter that has to be given, if there is only one."""
    properties = _properties(tool)
    required = _parameters(tool).get("required") or list(properties)
    if not isinstance(required, list) or len(required) != 1:
        return ""
    name = str(required[0])
    schema = properties.get(name)
    words = str(schema.get("description") or "") if isinstance(schema, dict) else ""
    return f"{name} {words}"


def _asks_anew(tool: Tool, text: str, *, same: bool) -> bool:
    """Whether a clause asks for something itself, and does not go on listing what is asked.

    It begins as a request does, or with a word of the tool's name; where the tool is the `same` as
    before, it also says again what is to be done.
    """
    if message_words.is_cjk(text):
        return _shared(text, tool) > 0
    words = message_words.words_of(text)
    named = message_words.words_of(tool["function"]["name"])
    begins = bool(words) and (words[0] in ASKING or words[0] in named)
    about = message_words.content_words(tool_text(tool))
    return begins and (not same or bool(about & message_words.content_words(text)))


def _joined(message: str, first: str, second: str) -> str:
    """Two parts with what stands between them in the message."""
    start = message.find(first)
    end = message.find(second, start + len(first))
    return message[start : end + len(second)] if 0 <= start < end else f"{first}, {second}"


def _cut(text: str, longest: int) -> str:
    """Both ends of a text that is too long: one of them holds what is asked."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}\n{text[-half:]}"


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _unit(content: bytes) -> Sequence[float]:
    values = array("f", content)
    length = math.sqrt(_dot(values, values)) or 1.0
    return [value / length for value in values]

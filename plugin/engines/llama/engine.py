"""The embedded engine as an engine of the GPT API: one small model for text, one for vectors."""

from plugin.engines.catalog import Model
from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.llama.caller_link import CallerLink
from plugin.engines.llama.chat import chat
from plugin.engines.llama.chat_request import refuse_unknown
from plugin.engines.llama.completions import complete
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.tool_calling.calls import ToolCaller
from plugin.engines.llama.vectors import CONTEXT, embed
from plugin.errors import InvalidRequest, NotOffered
from plugin.messages import AnsweredBy

TEXT_MODEL = "smollm2-135m-instruct"
VECTOR_MODEL = "all-minilm-l6-v2"

_OWNER = "gpt-plugin (embedded)"
_FINGERPRINT = "fp_smollm2-135m-instruct-q4_1"
"""Says which weights answered; the same for as long as they are the same."""

_TEXT = frozenset({"chat/completions", "completions"})


def embedded_models(context: int) -> list[Model]:
    """What the embedded engine answers for; `context` is that of a text, in tokens."""
    return [
        Model(
            TEXT_MODEL,
            "text",
            _OWNER,
            context,
            "English only, and small: short answers to simple questions, without network or key. "
            "For Chinese and for quality configure an upstream (PLUGIN_UPSTREAMS).",
            languages=("en",),
        ),
        Model(
            VECTOR_MODEL,
            "embedding",
            _OWNER,
            CONTEXT,
            "English only: sentences and short paragraphs as 384 numbers.",
            languages=("en",),
        ),
    ]


class Llama:
    """Answers for the two embedded models (an `Engine`)."""

    def __init__(self, link: Link, work: SchemaWork | None = None) -> None:
        self._link = link
        self._work = work or SchemaWork()
        self._tools = ToolCaller(link, self._work)

    def close(self) -> None:
        """End the processes that worked on callers' schemas."""
        self._work.close()

    async def answer(self, ask: Ask) -> Whole | Events:
        """Carry out a request; raises as `Engine` says."""
        self._check(ask)
        link = CallerLink(self._link, ask.caller)
        answered_by = AnsweredBy(ask.model, "embedded")
        if ask.path == "chat/completions":
            return await chat(link, self._tools.through(link), ask, _FINGERPRINT, answered_by)
        if ask.path == "completions":
            return await complete(link, ask, _FINGERPRINT, answered_by)
        return await embed(link, ask, answered_by)

    def _check(self, ask: Ask) -> None:
        """Raise for what this model never answers."""
        if ask.path not in _TEXT | {"embeddings"}:
            raise NotOffered(
                f"The embedded engine does not answer /v1/{ask.path}; PLUGIN_UPSTREAMS names an "
                "address that does."
            )
        if (ask.path in _TEXT) != (ask.model == TEXT_MODEL):
            other = TEXT_MODEL if ask.path in _TEXT else VECTOR_MODEL
            raise InvalidRequest(
                f"The model `{ask.requested}` does not answer /v1/{ask.path}; `{other}` does.",
                param="model",
            )
        refuse_unknown(ask)

"""Tool calls of the embedded model: route, fill under the tool's grammar, check, else mend."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from secrets import token_hex
from typing import Any

from plugin.engines.llama.chat_ask import CallPiece, ChatAsk, Delta
from plugin.engines.llama.chat_messages import text_of
from plugin.engines.llama.counted import total
from plugin.engines.llama.grammar.preparation import Unfit
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.refusals import too_long
from plugin.engines.llama.tool_calling.guided import Guided
from plugin.engines.llama.tool_calling.prompt import tool_messages
from plugin.engines.llama.tool_calling.routing import ToolRouter, Vectors, Wanted
from plugin.errors import InvalidRequest
from plugin.messages import Usage

_RESULTS = frozenset({"tool", "function"})


class ToolCaller:
    """Turns requests with tools into calls; one for all requests of a process."""

    def __init__(
        self,
        link: Link,
        work: SchemaWork,
        *,
        adapter: int | None = None,
        vectors: Vectors | None = None,
    ) -> None:
        self._link = link
        self.work = work
        self._adapter = adapter
        self._vectors = Vectors() if vectors is None else vectors
        self._router = ToolRouter(link, vectors=self._vectors)

    def through(self, link: Link) -> "ToolCaller":
        """Return the same, asking through `link`."""
        return ToolCaller(link, self.work, adapter=self._adapter, vectors=self._vectors)

    async def turn(self, ask: ChatAsk) -> AsyncGenerator[Delta] | None:
        """The calls that a request leads to; None where no tool is called.

        Raises `InvalidRequest` for a tool that has to be called and cannot be,
        `ContextLengthExceeded`, `EngineUnavailable`.
        """
        if not ask.tools or ask.tool_choice == "none":
            return None
        must = ask.tool_choice == "required"
        if not must and ask.given[-1]["role"] in _RESULTS:
            return None
        await self._check_length(ask)
        message = _last_request(ask.given)
        wanted = await self._wanted(ask, message, must=must)
        calls = [await self._prepared(ask, each, must=must) for each in wanted]
        ready = [call for call in calls if call is not None]
        return _called(ready) if ready else None

    async def _wanted(self, ask: ChatAsk, message: str, *, must: bool) -> list[Wanted]:
        if ask.named is not None:
            return [Wanted(_place(ask), message)]
        return await self._router.wanted(message, ask.tools, required=must, parallel=ask.parallel)

    async def _prepared(
        self, ask: ChatAsk, wanted: Wanted, *, must: bool
    ) -> "tuple[str, Guided] | None":
        """A tool's name and how its arguments are written; None where they cannot be."""
        function = ask.tools[wanted.tool]["function"]
        param = f"tools[{wanted.tool}].function.parameters"
        try:
            return function["name"], await self._guided(ask, function, param, wanted.text)
        except Unfit as reason:
            if not must:
                return None
            raise InvalidRequest(
                f"The tool {function['name']!r} cannot be called by the embedded model: of its "
                f"parameters' schema {reason}. Simplify it, or ask a model of an upstream "
                "(PLUGIN_UPSTREAMS).",
                param=param,
            ) from None

    async def _guided(
        self, ask: ChatAsk, function: Mapping[str, Any], param: str, text: str
    ) -> Guided:
        schema = _of_object(function.get("parameters") or {})
        asking = f"{function['name']} {function.get('description') or ''}"
        room = max(self._link.context() // 2, 256)
        prepared = await self.work.of_tool(schema, asking, text, room)
        messages = tool_messages(function, prepared.offered, text)
        return Guided(self._link, self.work, ask, messages, schema, param, prepared, self._adapter)

    async def _check_length(self, ask: ChatAsk) -> None:
        """A conversation over the context is refused, though only its last request is read."""
        said = "\n".join(message["content"] for message in ask.messages)
        context = await self._context()
        if len(said.encode()) <= context:
            return
        answer = await self._link.post("text", "/tokenize", {"content": said})
        if len(answer["tokens"]) > context:
            raise too_long(len(answer["tokens"]), context)

    async def _context(self) -> int:
        """What a text may have; asked of an engine that is there, waited for if need be."""
        if not self._link.context():
            await self._link.post("text", "/tokenize", {"content": ""})
        return self._link.context()


async def _called(calls: Sequence[tuple[str, Guided]]) -> AsyncGenerator[Delta]:
    """The calls one after the other: id and name once, then the arguments in pieces."""
    before = Usage()
    for index, (name, guided) in enumerate(calls):
        call = CallPiece(index, id=f"call_{token_hex(12)}", name=name)
        told = False
        async with aclosing(_arguments(guided)) as arguments:
            async for piece in arguments:
                if not told:
                    yield Delta(calls=[call])
                    told = True
                usage = total(before, guided.usage)
                yield Delta(calls=[CallPiece(index, arguments=piece)], usage=usage)
        before = total(before, guided.usage)
    yield Delta(finish="tool_calls", usage=before)


async def _arguments(guided: Guided) -> AsyncGenerator[str]:
    if guided.prepared.grammar.longest == len("{}"):
        yield "{}"
        return
    async with aclosing(guided.pieces()) as pieces:
        async for piece in pieces:
            yield piece


def _last_request(given: Sequence[Mapping[str, Any]]) -> str:
    said = [message for message in given if message["role"] == "user"]
    return text_of(said[-1].get("content")) if said else ""


def _place(ask: ChatAsk) -> int:
    for place, tool in enumerate(ask.tools):
        if tool["function"]["name"] == ask.named:
            return place
    raise InvalidRequest(
        f"tool_choice names {ask.named!r}, which is not among the tools of this request.",
        param="tool_choice",
    )


def _of_object(schema: Any) -> Any:
    """Arguments are an object, also where the schema says nothing of its type."""
    if isinstance(schema, Mapping) and "type" not in schema and "$ref" not in schema:
        return {"type": "object", **schema}
    return schema

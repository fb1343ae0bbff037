"""The judge for a reply: one given for all, or one made from the tools its request declared."""

from collections import OrderedDict
from typing import Any

from plugin.contract.declared import read_tools
from plugin.harness.formats.format import mapping, objects
from plugin.harness.json_text import dumps
from plugin.harness.judge import Judge, Verdict, unjudged
from plugin.harness.transcript import Reply

_KEPT = 256
"""Sets of tools kept compiled: recordings repeat the same few, and memory has to stay flat."""

_FOUND_WHILE_TALKING = ("tool_search", "mcp", "namespace")
"""Types of declared tools that show a model further tools, which the request does not list."""


class Judges:
    """Hands out the judge for each reply; `given` judges them all."""

    def __init__(self, given: Judge | None = None) -> None:
        self._given = given
        self._made: OrderedDict[bytes, Judge] = OrderedDict()

    def verdicts(self, reply: Reply) -> list[Verdict]:
        """The verdicts on a reply's calls; without any contract, calls are passed unjudged."""
        judge = self._given or self._declared(reply.tools)
        if judge is None:
            return unjudged(reply.calls)
        verdicts = judge.judge_reply(reply)
        if self._given is not None:
            return verdicts
        # A name that the request does not list may be one of those shown later, and a tool of the
        # provider's own making (bash, a custom tool) is listed without a schema.
        listed_all, named = self.knows_every_name(reply), _names(list(reply.tools or ()))
        unlisted = unjudged([verdict.call for verdict in verdicts])
        return [
            one
            if one.call.name in judge.tools or (listed_all and one.call.name not in named)
            else other
            for one, other in zip(verdicts, unlisted, strict=True)
        ]

    def judge_of(self, reply: Reply) -> Judge | None:
        """The judge that a reply is judged by, None where there is no contract."""
        return self._given or self._declared(reply.tools)

    def knows_every_name(self, reply: Reply) -> bool:
        """Whether a name that is not listed is wrong, not one of those shown while talking."""
        return self._given is not None or not _is_open(reply.tools)

    def _declared(self, tools: tuple[Any, ...] | None) -> Judge | None:
        if not tools:
            return None
        key = dumps(tools)
        judge = self._made.pop(key, None) or Judge(read_tools(list(tools)))
        self._made[key] = judge
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return judge


def _names(tools: Any) -> set[str]:
    """Every name that a list of tools declares, with a schema or without."""
    found: set[str] = set()
    for tool in objects(tools):
        places = (tool, mapping(tool.get("function")), mapping(tool.get("custom")))
        found.update(place["name"] for place in places if isinstance(place.get("name"), str))
    return found


def _is_open(tools: tuple[Any, ...] | None) -> bool:
    types = (str(tool.get("type", "")) for tool in objects(list(tools or ())))
    return any(name.startswith(_FOUND_WHILE_TALKING) for name in types)

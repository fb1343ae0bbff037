"""How well the embedded model calls tools: `python -m tests.bench.bench_tool_calls ENGINE_JSON`.

ENGINE_JSON is `<data_dir>/engine.json` of a running `plugin serve`. Prompts of our own
(tests/engines/llama/tool_cases.py; the thresholds and the Chinese words were chosen with them in
sight) and of BFCL, which were only counted.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from plugin.contract.schema.validation import validator
from plugin.engines.engine import Ask, Whole
from plugin.engines.llama.engine import TEXT_MODEL, Llama
from plugin.engines.llama.link import Link
from plugin.engines.llama.process.state import StateFile
from plugin.engines.llama.tool_calling.routing import ToolRouter
from plugin.outbound.client import GuardedClient
from tests.engines.llama.schemas import as_tool, bfcl
from tests.engines.llama.stand_in import queues
from tests.engines.llama.tool_cases import CHINESE, CHINESE_NO_TOOL, ENGLISH, NO_TOOL, SEVERAL

Calls = list[tuple[str, Any]]


async def called(llama: Llama, text: str, tools: list[dict[str, Any]]) -> Calls:
    """Names and arguments of the calls; raises for arguments that are not valid."""
    body = {"messages": [{"role": "user", "content": text}], "tools": tools, "max_tokens": 1}
    answer = await llama.answer(Ask("chat/completions", body, TEXT_MODEL, TEXT_MODEL))
    if not isinstance(answer, Whole):
        raise TypeError(answer)
    message = json.loads(answer.body)["choices"][0]["message"]
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    found: Calls = []
    for call in message.get("tool_calls") or ():
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        if not validator(schemas[name]).is_valid(arguments):
            raise ValueError(f"not valid: {call}")
        found.append((name, arguments))
    return found


def alike(one: Any, other: Any) -> bool:
    """Equal but for capitals."""
    return json.dumps(one).lower() == json.dumps(other).lower()


async def own(llama: Llama) -> None:
    for label, cases in (("English", ENGLISH), ("Chinese", CHINESE)):
        routed = right = 0
        for tools, text, name, arguments in cases:
            calls = await called(llama, text, tools)
            routed += [call[0] for call in calls] == [name]
            right += alike(calls, [(name, arguments)])
        print(f"{label}: right tool {routed}, right arguments {right} of {len(cases)}")
    for label, none in (("English", NO_TOOL), ("Chinese", CHINESE_NO_TOOL)):
        silent = [not await called(llama, text, tools) for tools, text in none]
        print(f"{label}, no tool fits: none called {sum(silent)} of {len(none)}")
    several = [alike(await called(llama, text, tools), calls) for tools, text, calls in SEVERAL]
    print(f"Several calls: all right {sum(several)} of {len(several)}")


async def foreign(router: ToolRouter) -> None:
    for name in ("simple_python", "multiple", "live_simple", "live_multiple", "parallel"):
        answers = {row["id"]: row["ground_truth"] for row in bfcl(f"{name}.answers")}
        rows = [row for row in bfcl(name) if row["id"] in answers][:60]
        right = 0
        for row in rows:
            expected = sorted(next(iter(call)) for call in answers[row["id"]])
            right += sorted(await routed(router, row)) == expected
        print(f"BFCL {name}: right tools {right} of {len(rows)}")
    for name in ("irrelevance", "live_irrelevance"):
        rows = [row for row in bfcl(name) if row["function"]][:60]
        silent = [not await routed(router, row) for row in rows]
        print(f"BFCL {name}: none called {sum(silent)} of {len(rows)}")


async def routed(router: ToolRouter, row: dict[str, Any]) -> list[str]:
    tools = [as_tool(function) for function in row["function"]]
    message = row["question"][0][-1]["content"]
    found = await router.wanted(message, tools, required=False, parallel=True)
    return [tools[one.tool]["function"]["name"] for one in found]


async def main(state: Path) -> None:
    async with GuardedClient(allow_loopback=True) as client:
        link = Link(StateFile(state), client, queues=queues(4))
        await own(Llama(link))
        await foreign(ToolRouter(link))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

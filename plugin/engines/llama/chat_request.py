"""A chat completion's request, read into what each of its choices asks of the embedded model."""

from collections.abc import Mapping
from typing import Any

from plugin.engines.engine import Ask
from plugin.engines.llama.chat_ask import ChatAsk, ToolChoice
from plugin.engines.llama.chat_messages import template_messages
from plugin.engines.llama.sampling import TOKENS_UNASKED, sampling, seed_of, stops
from plugin.errors import InvalidRequest

MOST_CHOICES = 8
"""Of one request: each is decoded by itself, and others want their turn too."""

_NOT_HERE = ("audio", "prediction", "web_search_options")


def read_chat(ask: Ask) -> list[ChatAsk]:
    """One `ChatAsk` for each choice; raises `InvalidRequest` for what this model cannot do."""
    body = ask.body
    _refuse_what_is_not_here(body)
    n = choices_of(body)
    choice, named = _tool_choice(body)
    common: dict[str, Any] = {
        "messages": template_messages(body["messages"]),
        "given": body["messages"],
        "sampling": {**sampling(body), **_logprobs(body)},
        "max_tokens": _most_tokens(body),
        "stop": stops(body),
        "tools": _tools(body),
        "tool_choice": choice,
        "named": named,
        "parallel": body.get("parallel_tool_calls") is not False and "functions" not in body,
        "response_format": _format(body),
    }
    return [ChatAsk(**common, seed=seed_of(body, index)) for index in range(n)]


def refuse_unknown(ask: Ask) -> None:
    """Raise `InvalidRequest` for an argument that nobody knows, in OpenAI's words."""
    for name in ask.unknown:
        raise InvalidRequest(f"Unrecognized request argument supplied: {name[:100]}", param=name)


def choices_of(body: Mapping[str, Any], param: str = "n") -> int:
    """How many choices are asked for; raises `InvalidRequest` above the bound."""
    n = int(body.get(param, 1))
    if not 1 <= n <= MOST_CHOICES:
        raise InvalidRequest(
            f"{param} is {n}; the embedded model gives 1 to {MOST_CHOICES} choices a request.",
            param=param,
        )
    return n


def _refuse_what_is_not_here(body: Mapping[str, Any]) -> None:
    for name in _NOT_HERE:
        if body.get(name):
            raise InvalidRequest(
                f"The embedded model does not know {name}; leave it out, or ask a model of an "
                "upstream (PLUGIN_UPSTREAMS).",
                param=name,
            )
    if set(body.get("modalities", ())) - {"text"}:
        raise InvalidRequest("The embedded model answers in text only.", param="modalities")


def _most_tokens(body: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if name in body:
            if body[name] < 1:
                raise InvalidRequest(f"{name} is {body[name]}; it is at least 1.", param=name)
            return int(body[name])
    return TOKENS_UNASKED


def _logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    if not body.get("logprobs"):
        return {}
    # the engine gives its own number of alternatives where it hears 0
    return {"logprobs": True, "top_logprobs": max(1, body.get("top_logprobs", 0))}


def _format(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = body.get("response_format")
    return None if not wanted or wanted.get("type") == "text" else wanted


def _tools(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tools that may be called; old `functions` in the new shape."""
    for place, tool in enumerate(body.get("tools", ())):
        if tool.get("type") != "function":
            raise InvalidRequest(
                f"The embedded model calls functions only, not a tool of type "
                f"{str(tool.get('type'))[:50]!r}; leave it out, or ask a model of an upstream "
                "(PLUGIN_UPSTREAMS).",
                param=f"tools[{place}]",
            )
    old = [{"type": "function", "function": function} for function in body.get("functions", ())]
    tools = [*body.get("tools", ()), *old]
    allowed = _allowed(body)
    return tools if allowed is None else [tool for tool in tools if _name(tool) in allowed]


def _allowed(body: Mapping[str, Any]) -> set[str] | None:
    choice = body.get("tool_choice")
    if not isinstance(choice, Mapping) or choice.get("type") != "allowed_tools":
        return None
    return {_name(tool) for tool in (choice.get("allowed_tools") or {}).get("tools") or ()}


def _name(tool: Mapping[str, Any]) -> str:
    return str((tool.get("function") or {}).get("name", ""))


def _tool_choice(body: Mapping[str, Any]) -> tuple[ToolChoice, str | None]:
    """Whether a tool is to be called, and which one where one is named."""
    choice = body.get("tool_choice", body.get("function_call", "auto"))
    if isinstance(choice, Mapping):
        if choice.get("type") == "allowed_tools":
            choice = (choice.get("allowed_tools") or {}).get("mode", "auto")
        else:
            return "required", _name(choice) or str(choice.get("name", ""))
    return ("none" if choice == "none" else "required" if choice == "required" else "auto"), None

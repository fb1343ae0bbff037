"""What a chat request offers to call, what it insists on, and the form of the answer."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from plugin.api.v1.wire import Name, Part
from plugin.errors import InvalidRequest

MOST_TOOLS = 128


Parameters = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "properties": {"type": {"const": "object"}}}),
]
"""A JSON Schema of an object; `check_tools` refuses another."""


class Function(Part):
    """A function that the model may call; `parameters` is a JSON Schema of an object."""

    name: Name
    description: str | None = None
    parameters: Parameters | None = None
    strict: bool | None = None


class FunctionTool(Part):
    """A tool that is a function."""

    type: Literal["function"]
    function: Function


class Custom(Part):
    """A tool that takes free text; only an upstream calls it."""

    name: Name
    description: str | None = None
    format: dict[str, Any] | None = None


class CustomTool(Part):
    """A tool that is no function."""

    type: Literal["custom"]
    custom: Custom


Tool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]
Tools = Annotated[list[Tool], Field(max_length=MOST_TOOLS)]
Functions = Annotated[list[Function], Field(min_length=1, max_length=MOST_TOOLS)]


class Named(Part):
    """The name of a tool."""

    name: Name


class NamedFunction(Part):
    """Insists on one function."""

    type: Literal["function"]
    function: Named


class NamedCustom(Part):
    """Insists on one custom tool."""

    type: Literal["custom"]
    custom: Named


class Allowed(Part):
    """Some of the tools, and whether one of them must be called."""

    mode: Literal["auto", "required"]
    tools: Annotated[
        list[Annotated[NamedFunction | NamedCustom, Field(discriminator="type")]],
        Field(min_length=1),
    ]


class AllowedTools(Part):
    """Narrows the tools that are offered."""

    type: Literal["allowed_tools"]
    allowed_tools: Allowed


ToolChoice = (
    Literal["none", "auto", "required"]
    | Annotated[NamedFunction | NamedCustom | AllowedTools, Field(discriminator="type")]
)
FunctionChoice = Literal["none", "auto"] | Named


class TextFormat(Part):
    """Any text."""

    type: Literal["text"]


class ObjectFormat(Part):
    """A JSON object."""

    type: Literal["json_object"]


class NamedSchema(Part):
    """A JSON Schema with a name."""

    name: Name
    description: str | None = None
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class SchemaFormat(Part):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


def check_tools(tools: Sequence[Tool] | None, choice: ToolChoice | None) -> None:
    """Refuse parameters that describe no object, and a choice of what is not offered."""
    offered: list[str] = []
    for place, tool in enumerate(tools or ()):
        if isinstance(tool, FunctionTool):
            _check_parameters(tool.function, f"tools[{place}].function.parameters")
        offered.append(_name(tool))
    match choice:
        case None | "none" | "auto":
            return
        case _ if not offered:
            raise InvalidRequest(
                "`tool_choice` insists on a tool, but `tools` offers none.", param="tool_choice"
            )
        case NamedFunction() | NamedCustom():
            _check_offered(_name(choice), offered, "tool_choice")
        case AllowedTools():
            for named in choice.allowed_tools.tools:
                _check_offered(_name(named), offered, "tool_choice")


def check_functions(functions: Sequence[Function] | None, choice: str | Named | None) -> None:
    """The same for the old form."""
    for place, function in enumerate(functions or ()):
        _check_parameters(function, f"functions[{place}].parameters")
    if isinstance(choice, Named):
        offered = [function.name for function in functions or ()]
        _check_offered(choice.name, offered, "function_call")


def _name(tool: FunctionTool | CustomTool | NamedFunction | NamedCustom) -> str:
    if isinstance(tool, FunctionTool | NamedFunction):
        return tool.function.name
    return tool.custom.name


def _check_offered(name: str, offered: Collection[str], param: str) -> None:
    if name not in offered:
        listed = ", ".join(offered) or "none"
        raise InvalidRequest(
            f"`{param}` names {name!r}, which is not offered; offered: {listed}.", param=param
        )


def _check_parameters(function: Function, param: str) -> None:
    kind = (function.parameters or {}).get("type", "object")
    if kind != "object":
        raise InvalidRequest(
            f'`{param}` must be a JSON Schema with "type": "object", as arguments have names.',
            param=param,
        )

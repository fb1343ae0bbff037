"""The messages of a chat request, and whether tools answer what was called."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from plugin.api.v1.wire import Name, Part
from plugin.errors import InvalidRequest

Writer = Annotated[str, Field(pattern=r"^[^\s<|\\/>]{1,64}$")]


class TextPart(Part):
    """A piece of text."""

    type: Literal["text"]
    text: str


class RefusalPart(Part):
    """What an assistant said instead of an answer."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(Part):
    """Where an image is, or the image itself as a data URL."""

    url: Annotated[str, Field(min_length=1)]
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(Part):
    """An image; only an upstream reads it."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Audio(Part):
    """A recording, in base64."""

    data: str
    format: str


class AudioPart(Part):
    """A recording; only an upstream hears it."""

    type: Literal["input_audio"]
    input_audio: Audio


class FilePart(Part):
    """A file; only an upstream reads it."""

    type: Literal["file"]
    file: dict[str, Any]


_Part = TypeVar("_Part")
Parts = Annotated[list[_Part], Field(min_length=1)]
Text = str | Parts[TextPart]
UserText = (
    str | Parts[Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]]
)
AssistantText = str | Parts[Annotated[TextPart | RefusalPart, Field(discriminator="type")]]


class DeveloperMessage(Part):
    """Instructions, as newer clients write them."""

    role: Literal["developer"]
    content: Text
    name: Writer | None = None


class SystemMessage(Part):
    """Instructions."""

    role: Literal["system"]
    content: Text
    name: Writer | None = None


class UserMessage(Part):
    """What a user said."""

    role: Literal["user"]
    content: UserText
    name: Writer | None = None


class CalledFunction(Part):
    """A function that was called; `arguments` are JSON as text."""

    name: Annotated[str, Field(min_length=1)]
    arguments: str


class FunctionToolCall(Part):
    """A call of a function."""

    id: Annotated[str, Field(min_length=1)]
    type: Literal["function"]
    function: CalledFunction


class CustomInput(Part):
    """A custom tool that was called, with free text."""

    name: Annotated[str, Field(min_length=1)]
    input: str


class CustomToolCall(Part):
    """A call of a custom tool."""

    id: Annotated[str, Field(min_length=1)]
    type: Literal["custom"]
    custom: CustomInput


ToolCall = Annotated[FunctionToolCall | CustomToolCall, Field(discriminator="type")]


class AssistantMessage(Part):
    """What the model said, or called."""

    role: Literal["assistant"]
    content: AssistantText | None = None
    refusal: str | None = None
    name: Writer | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: CalledFunction | None = None
    audio: dict[str, Any] | None = None


class ToolMessage(Part):
    """What a tool answered; `tool_call_id` names the call."""

    role: Literal["tool"]
    content: Text
    tool_call_id: Annotated[str, Field(min_length=1)]


class FunctionMessage(Part):
    """What a function answered, in the old form."""

    role: Literal["function"]
    content: str | None = None
    name: Name


Message = Annotated[
    DeveloperMessage
    | SystemMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage,
    Field(discriminator="role"),
]


def check_messages(messages: Sequence[Message]) -> None:
    """Refuse an assistant that says nothing, and a tool that answers what nobody called."""
    called: set[str] = set()
    for place, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            _check_assistant(message, place)
            called.update(call.id for call in message.tool_calls or ())
        elif isinstance(message, ToolMessage) and message.tool_call_id not in called:
            raise InvalidRequest(
                f"`messages[{place}]` has the role tool, but no assistant message before it has "
                "`tool_calls` with this `tool_call_id`. Send the assistant's message too.",
                param=f"messages[{place}].tool_call_id",
            )


def _check_assistant(message: AssistantMessage, place: int) -> None:
    if message.content is not None or message.refusal is not None or message.audio is not None:
        return
    if not (message.tool_calls or message.function_call):
        raise InvalidRequest(
            f"`messages[{place}].content` must be a text, as this assistant's message has neither "
            "`tool_calls` nor `function_call`.",
            param=f"messages[{place}].content",
        )

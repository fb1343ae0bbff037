"""What the bodies of the GPT API have in common: strict, null for what is left out, open for more.

A body is judged by its model; what goes on to the engine is the JSON object as it came, so that an
upstream sees what its caller wrote: no member is added but a default that the API promises, none
is taken away but nulls (by `answer`), and a whole number written as 3.0 becomes 3. Members that the
API does not know are let through, by name: an engine honours or refuses them.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
)

from plugin.errors import InvalidRequest, PluginError
from plugin.operations import Arguments

_LARGEST = 2**31 - 1
_LONGEST_LIST = 2048
_SEEDS = 9_223_372_036_854_776_000
"""As OpenAI describes it: 64 bits, rounded up to what a float can tell."""


def _within_64_bits(seed: int) -> int:
    return min(max(seed, -(2**63)), 2**63 - 1)


ModelName = Annotated[str, Field(min_length=1, max_length=256)]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
"""The name of a tool, a function or a schema."""

Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Choices = Annotated[int, Field(ge=1, le=128)]
Seed = Annotated[int, Field(ge=-_SEEDS, le=_SEEDS), AfterValidator(_within_64_bits)]
Count = Annotated[int, Field(ge=1, le=_LARGEST)]
CountOrNone = Annotated[int, Field(ge=0, le=_LARGEST)]
Stops = str | Annotated[list[str], Field(max_length=4)]
_Bias = Annotated[float, Field(ge=-100, le=100)]
LogitBias = Annotated[
    dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], _Bias],
    Field(json_schema_extra={"additionalProperties": False}),
]
"""Token ids as text, each with what is added to its score."""

Token = Annotated[int, Field(ge=0, le=_LARGEST)]


def _form(value: Any) -> str:
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, list):
        return "token lists"
    if isinstance(first, int | float):
        return "tokens"
    return "texts" if isinstance(value, list) else "text"


_Text = TypeVar("_Text")

Inputs = Annotated[
    Annotated[_Text, Tag("text")]
    | Annotated[list[_Text], Field(min_length=1, max_length=_LONGEST_LIST), Tag("texts")]
    | Annotated[list[Token], Field(min_length=1), Tag("tokens")]
    | Annotated[
        list[Annotated[list[Token], Field(min_length=1)]],
        Field(min_length=1, max_length=_LONGEST_LIST),
        Tag("token lists"),
    ],
    Discriminator(_form),
]
"""A text, several, token ids, or several lists of them; the first item says which."""


class Part(Arguments):
    """An object inside a body; members that the API does not know go on to the engine."""

    model_config = ConfigDict(extra="allow")


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return given if isinstance(given, dict) else None


def _refusal(
    error: ValidationError | PluginError, content: bytes
) -> RequestValidationError | InvalidRequest | None:
    """Return the error as it is answered; None for one that no engine can change."""
    if isinstance(error, InvalidRequest):
        return error
    if not isinstance(error, ValidationError):
        return None
    found = error.errors(include_url=False)
    if any(fault["loc"][:1] == ("model",) for fault in found):
        return None
    faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in found]
    return RequestValidationError(faults, body=content)


class Given(dict[str, Any]):
    """A body as it came, with its bytes: an upstream is to get them octet for octet."""

    def __init__(self, members: dict[str, Any], content: bytes) -> None:
        super().__init__(members)
        self.content = content


_UNDERSTOOD: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "messages": (list,),
    "prompt": (str, list),
    "input": (str, list),
    "stream": (bool,),
    "stream_options": (dict,),
    "n": (int,),
    "best_of": (int,),
    "max_tokens": (int,),
    "max_completion_tokens": (int,),
}


def _is_understood(given: Mapping[str, Any]) -> bool:
    for name, types in _UNDERSTOOD.items():
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            return False
    return all(isinstance(message, dict) for message in given.get("messages") or ())


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


class Body(Part):
    """The body of a request, without the name of the model, which older paths say in the URL."""

    _whole: ClassVar[frozenset[str]] = frozenset()
    """The parameters that are, or hold, whole numbers."""

    judged_by_engine: ClassVar[bool] = False
    """Whether an engine may take values that the API refuses (see `postponed`)."""

    _refused: RequestValidationError | InvalidRequest | None = PrivateAttr(default=None)
    _given: Given | None = PrivateAttr(default=None)

    user: str | None = None
    "Who the request is for, in your words; not used here."

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Note the parameters with whole numbers."""
        fields = cls.model_fields.items()
        cls._whole = frozenset(name for name, field in fields if int in _types(field.annotation))

    @classmethod
    def postponed(cls, content: bytes, error: ValidationError | PluginError) -> "Body | None":
        """Return a body that the API refuses, and other servers may take; None if none can.

        What this service must understand itself is of the right type in it: the model, the
        conversation or the text, whether to stream, how many answers and how long.
        """
        refused = _refusal(error, content)
        given = _object(content) if cls.judged_by_engine and refused is not None else None
        if given is None or not _is_understood(given):
            return None
        fields = cls.model_fields.items()
        if any(field.is_required() and given.get(name) is None for name, field in fields):
            return None
        body = cls.model_construct()
        for name, value in (("_refused", refused), ("_given", Given(given, content))):
            setattr(body, name, value)
        return body

    @property
    def refused(self) -> RequestValidationError | InvalidRequest | None:
        """Why the API refuses this body; an engine that passes requests on may answer it still."""
        return self._refused

    @property
    def unknown(self) -> tuple[str, ...]:
        """The members that the API does not know."""
        return tuple(self.model_extra or ())

    async def given(self, request: Request) -> dict[str, Any]:
        """The body as it came, whole numbers whole. Raises `InvalidRequest` for what is no JSON."""
        if self._given is not None:
            return self._given
        try:
            given: dict[str, Any] = orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            # Pydantic's reader lets NaN and Infinity pass where any value may stand.
            raise InvalidRequest(f"The body is not JSON: {error}. Send JSON (RFC 8259).") from None
        for name in self._whole & given.keys():
            given[name] = getattr(self, name)
        return given


class StreamOptions(Part):
    """What an event stream tells beside the text."""

    include_usage: bool | None = None
    "Whether an event before the last tells the usage of the whole request."
    include_obfuscation: bool | None = None
    "Accepted; nothing is padded here."


class Streamed(Body):
    """A body that can ask for an event stream, and for samples of one distribution."""

    frequency_penalty: Penalty | None = None
    "Lowers the chance of a token by how often it came; -2 to 2."
    presence_penalty: Penalty | None = None
    "Lowers the chance of a token that came at all; -2 to 2."
    logit_bias: LogitBias | None = None
    "What is added to the score of a token, by token id; -100 to 100."
    n: Choices | None = None
    "How many choices to make."
    seed: Seed | None = None
    "The same seed and parameters give the same text, as far as the engine can."
    stop: Stops | None = None
    "Up to four texts before which the answer ends."
    stream: bool | None = None
    "Whether to answer with server-sent events, ended by `data: [DONE]`."
    stream_options: StreamOptions | None = None
    "Only with `stream`."
    temperature: Temperature | None = None
    "0 takes the likeliest token each time; up to 2."
    top_p: TopP | None = None
    "Only the likeliest tokens, up to this much probability together, are drawn from."

    def check_stream(self) -> None:
        """Refuse options of a stream that is not asked for."""
        if self.stream_options is not None and not self.stream:
            raise InvalidRequest(
                "`stream_options` is only allowed with `stream`: true; leave one or set both.",
                param="stream_options",
            )


class NamesModel(Part):
    """The member that names the model."""

    model: ModelName
    "Which model answers; GET /v1/models lists them."


class MayNameModel(Part):
    """The same below `/v1/engines/{engine}`, where the URL has named it."""

    model: ModelName | None = None
    "Not needed: the URL names the model."


Encoding = Literal["float", "base64"]

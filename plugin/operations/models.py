"""The models that requests and replies of operations inherit from: strict in, documented out.

It is the one module that changes schemas of pydantic's core, whose form is not documented.
`pyproject.toml` bounds the version, and `tests/operations/test_models.py` fails first.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_NOT_SCHEMAS = frozenset({"metadata", "serialization", "config", "default", "expected"})
_BY_NAME = frozenset({"fields", "choices"})
"""Members whose own keys are names of an author, such as `type` or `metadata`."""


def _harden(node: Any) -> Any:
    if isinstance(node, list | tuple):
        return type(node)(_harden(item) for item in node)
    if not isinstance(node, dict):
        return node
    copy = {
        key: {name: _harden(inner) for name, inner in item.items()}
        if key in _BY_NAME and isinstance(item, dict)
        else item
        if key in _NOT_SCHEMAS
        else _harden(item)
        for key, item in node.items()
    }
    kind = node.get("type")
    if kind in {"bool", "int", "float"}:
        copy["strict"] = True
    before = _BEFORE.get(kind) if isinstance(kind, str) else None
    return core_schema.no_info_before_validator_function(before, copy) if before else copy


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _text(value: Any) -> Any:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            # JSON can escape half a surrogate pair; it could be stored by nobody and sent to nobody
            raise ValueError("the text holds half of a surrogate pair") from None
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("a number is no point in time; write it as ISO 8601 text")  # noqa: TRY004 - pydantic collects ValueError alone
    return value


_BEFORE: Mapping[str, Callable[[Any], Any]] = {
    "int": _integer,
    "str": _text,
    "date": _moment,
    "time": _moment,
    "datetime": _moment,
    "timedelta": _moment,
}


def _text_type(controls: str) -> Any:
    """Text that holds none of `controls`, written as the inside of a character class."""
    refused = re.compile(f"[{controls}]")

    def check(value: Any) -> Any:
        found = refused.search(value) if isinstance(value, str) else None
        if found is not None:
            raise ValueError(
                f"the text holds the control character U+{ord(found[0]):04X} at position "
                f"{found.start()}; leave it out"
            )
        return value

    said = Field(json_schema_extra={"pattern": f"^[^{controls}]*$"})
    return Annotated[str, BeforeValidator(check), said]


if TYPE_CHECKING:
    PlainText = str
    PageText = str
else:
    PlainText = _text_type(r"\x00-\x08\x0b-\x1f\x7f-\x9f")
    """A text without control characters but newline and tab; `Field` may bound its length."""

    PageText = _text_type(r"\x00-\x08\x0b\x0e-\x1f\x7f-\x9f")
    """The same for whole documents, whose lines and pages may end as files have them."""


class Arguments(BaseModel):
    """A request body, judged as JSON is: no unknown key, no `"3"` for 3, no `true` for 1.

    3.0 is the integer 3, as JSON Schema has it. Dates, enums and UUIDs are read from their text.
    A model that stands inside this one inherits from `Arguments` too, or its class is an error.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The validation schema, strict where JSON has a type of its own."""
        # `strict=True` cannot say this: FastAPI validates parsed JSON as Python values, and strict
        # Python mode refuses 3.0 for an integer and the text of a date, an enum or a UUID.
        hardened: CoreSchema = _harden(handler(source))
        return hardened

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Refuse a class that would let unknown keys in through a model inside it."""
        for name, field in cls.model_fields.items():
            for inner in _models_in(field.annotation):
                if not issubclass(inner, Arguments):
                    raise TypeError(f"{cls.__name__}.{name}: {inner.__name__} must be Arguments")


class QueryArguments(BaseModel):
    """The query string of an operation: no unknown key; text that reads as the type is the type."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Reply(BaseModel):
    """What an operation answers. The docstrings of its fields are what a model reads of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

"""How OpenAPI writes a parameter's value: `style` and `explode`, for every location."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from plugin.contract.operation import Parameter

_RESERVED = ":/?#[]@!$&'()*+,;="
_RESERVED_IN_QUERY = "".join(sorted(set(_RESERVED) - set("#&=+[]")))
"""What `allowReserved` may leave bare without changing how the rest of the query is read."""

_DELIMITERS = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}


_SEPARATORS = re.compile(r"[/\\]")


class NotExpressible(ValueError):  # noqa: N818 - names say what is wrong
    """An argument whose value cannot travel where the contract puts it."""

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"{argument}: {reason}")
        self.argument = argument
        self.reason = reason


def scalar(value: Any) -> str:
    """A value as text: JSON's words for booleans and null, no fraction on integral numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def path_text(parameter: Parameter, value: Any) -> str:
    """The text for a path's placeholder, percent-encoded: it never adds a segment."""
    if value is None:
        raise NotExpressible(parameter.argument, "a part of the path is missing")
    _check_surrogates(parameter, value)
    if parameter.media_type is not None:
        text = _encoded(_as_media(parameter.media_type, value))
    else:
        text = _PATH_STYLES[parameter.style](parameter, value)
    # A server that decodes %2F before it looks at the path would follow dots between slashes.
    if not text or not {".", ".."}.isdisjoint(_SEPARATORS.split(unquote(text))):
        raise NotExpressible(parameter.argument, f"{value!r} would lead to another path")
    return text


def query_pairs(parameter: Parameter, value: Any) -> Iterator[str]:
    """The `name=value` pairs of a query parameter, percent-encoded."""
    _check_surrogates(parameter, value)
    name = _encoded(parameter.name)
    keep = _RESERVED_IN_QUERY if parameter.allow_reserved else ""
    if parameter.media_type is not None:
        yield f"{name}={_encoded(_as_media(parameter.media_type, value))}"
    elif isinstance(value, dict):
        yield from _query_object(parameter, name, value, keep)
    elif isinstance(value, list):
        yield from _query_list(parameter, name, value, keep)
    else:
        yield f"{name}={_encoded(scalar(value), keep)}"


def header_text(parameter: Parameter, value: Any) -> str:
    """The text of a header, not encoded: `simple` style."""
    _check_surrogates(parameter, value)
    if parameter.media_type is not None:
        return _as_media(parameter.media_type, value)
    if isinstance(value, dict):
        joint = "=" if parameter.explode else ","
        return ",".join(f"{key}{joint}{scalar(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ",".join(map(scalar, value))
    return scalar(value)


def cookie_pairs(parameter: Parameter, value: Any) -> Iterator[str]:
    """The `name=value` pairs of a cookie parameter, encoded so that none can end early."""
    yield from query_pairs(parameter, value)


def _query_object(
    parameter: Parameter, name: str, value: dict[str, Any], keep: str
) -> Iterator[str]:
    if parameter.style == "deepObject":
        for path, item in leaves(value):
            brackets = "".join(f"%5B{_encoded(step)}%5D" for step in path)
            yield f"{name}{brackets}={_encoded(scalar(item), keep)}"
    elif parameter.explode:
        for key, item in value.items():
            yield f"{_encoded(key)}={_encoded(scalar(item), keep)}"
    elif value:
        parts = [
            _encoded(part, keep) for key, item in value.items() for part in (key, scalar(item))
        ]
        yield f"{name}={_DELIMITERS[parameter.style].join(parts)}"


def _query_list(parameter: Parameter, name: str, value: list[Any], keep: str) -> Iterator[str]:
    if parameter.style == "deepObject":
        yield from _query_object(parameter, name, dict(_numbered(value)), keep)
    elif parameter.explode:
        for item in value:
            yield f"{name}={_encoded(scalar(item), keep)}"
    elif value:
        items = [_encoded(scalar(item), keep) for item in value]
        yield f"{name}={_DELIMITERS[parameter.style].join(items)}"


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The scalars of an object with the keys that lead to each, as `deepObject` writes them."""
    if isinstance(value, list):
        value = (
            dict(_numbered(value))
            if any(isinstance(item, dict | list) for item in value)
            else value
        )
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield path, item
    else:
        yield path, value


def _numbered(value: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((str(index), item) for index, item in enumerate(value))


def _simple(parameter: Parameter, value: Any) -> str:
    return _joined(parameter, value, ",")


def _label(parameter: Parameter, value: Any) -> str:
    return "." + _joined(parameter, value, "." if parameter.explode else ",")


def _matrix(parameter: Parameter, value: Any) -> str:
    name = _encoded(parameter.name)
    if isinstance(value, dict) and parameter.explode:
        return "".join(f";{_encoded(key)}={_encoded(scalar(item))}" for key, item in value.items())
    if isinstance(value, list) and parameter.explode:
        return "".join(f";{name}={_encoded(scalar(item))}" for item in value)
    text = _joined(parameter, value, ",")
    return f";{name}={text}" if text else f";{name}"


def _joined(parameter: Parameter, value: Any, delimiter: str) -> str:
    if isinstance(value, dict):
        joint = "=" if parameter.explode else delimiter
        return delimiter.join(
            f"{_encoded(key)}{joint}{_encoded(scalar(item))}" for key, item in value.items()
        )
    if isinstance(value, list):
        return delimiter.join(_encoded(scalar(item)) for item in value)
    return _encoded(scalar(value))


_PATH_STYLES = {"simple": _simple, "label": _label, "matrix": _matrix}


def _as_media(media_type: str, value: Any) -> str:
    """The value serialised in the parameter's own media type."""
    if "json" in media_type:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return scalar(value)


def _encoded(text: str, keep: str = "") -> str:
    return quote(text, safe=f"~{keep}")


def _check_surrogates(parameter: Parameter, value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotExpressible(parameter.argument, "half of a surrogate pair is no text") from None

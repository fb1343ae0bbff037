"""A request body as bytes: JSON, a form, multipart, or text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

import orjson

from plugin.contract.operation import Body, Schema
from plugin.contract.requests.styles import NotExpressible, leaves, scalar
from plugin.contract.schema.validation import resolve

_FORM = "application/x-www-form-urlencoded"
_DELIMITERS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_FILE = "application/octet-stream"


def encode_body(body: Body, value: Any) -> tuple[bytes, str]:
    """The bytes and their content type. Raises NotExpressible for what the type cannot carry."""
    media_type = body.media_type
    if media_type == _FORM:
        pairs = _form_pairs(body, _members(body, value))
        text = "&".join(f"{quote_plus(name)}={quote_plus(item)}" for name, item in pairs)
        return text.encode(), _FORM
    if media_type.startswith("multipart/"):
        return _multipart(body, _members(body, value))
    if media_type.endswith("json"):
        return json_bytes(body.argument, _exact(body.argument, value)), media_type
    if isinstance(value, dict | list):
        raise NotExpressible(body.argument, f"{media_type} carries text, not an object or a list")
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return _text_bytes(body.argument, scalar(value)), f"{media_type}{charset}"


def json_bytes(argument: str, value: Any) -> bytes:
    """The value as compact JSON. Raises NotExpressible for text that is no text."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        return _text_bytes(argument, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _exact(argument: str, value: Any) -> Any:
    """The value with each integral float as the integer that it is."""
    if isinstance(value, float):
        if value != value or abs(value) == float("inf"):  # noqa: PLR0124 - NaN is not itself
            raise NotExpressible(argument, f"{value} is no JSON number")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {key: _exact(argument, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(argument, item) for item in value]
    return value


def _text_bytes(argument: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NotExpressible(argument, "half of a surrogate pair is no text") from None


def _members(body: Body, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise NotExpressible(body.argument, f"{body.media_type} carries an object's members")
    return value


def _form_pairs(body: Body, members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        encoding = body.encoding.get(name)
        encoding = encoding if isinstance(encoding, dict) else {}
        if encoding.get("style") == "deepObject" and isinstance(value, dict | list):
            for path, item in leaves(value, (name,)):
                inner = "".join(f"[{step}]" for step in path[1:])
                yield f"{name}{inner}", _field(name, item)
        elif isinstance(value, list) and encoding.get("explode") is False:
            delimiter = _DELIMITERS.get(encoding.get("style", ""), ",")
            yield name, delimiter.join(_field(name, item) for item in value)
        elif isinstance(value, list):
            yield from ((name, _field(name, item)) for item in value)
        else:
            yield name, _field(name, value)


def _field(name: str, value: Any) -> str:
    text = (
        json_bytes(name, _exact(name, value)).decode()
        if isinstance(value, dict | list)
        else scalar(value)
    )
    _text_bytes(name, text)
    return text


def _multipart(body: Body, members: Mapping[str, Any]) -> tuple[bytes, str]:
    pieces = [
        _part(body, name, item)
        for name, value in members.items()
        for item in (value if isinstance(value, list) else [value])
    ]
    # Made from the content: the same call gives the same bytes, and no part can contain it.
    boundary = hashlib.sha256(b"".join(pieces)).hexdigest()[:32]
    mark = f"--{boundary}".encode()
    whole = b"".join(mark + b"\r\n" + piece + b"\r\n" for piece in pieces) + mark + b"--\r\n"
    return whole, f"{body.media_type}; boundary={boundary}"


def _part(body: Body, name: str, value: Any) -> bytes:
    """One field; a member of format binary travels as a file whose content is the text given."""
    safe = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    head = f'Content-Disposition: form-data; name="{safe}"'
    content_type = _part_type(body, name, value)
    if content_type == _FILE:
        head += f'; filename="{safe}"'
    if content_type:
        head += f"\r\nContent-Type: {content_type}"
    return head.encode() + b"\r\n\r\n" + _text_bytes(name, _field(name, value))


def _part_type(body: Body, name: str, value: Any) -> str | None:
    encoding = body.encoding.get(name)
    declared = encoding.get("contentType") if isinstance(encoding, dict) else None
    if isinstance(value, dict | list):
        return "application/json"
    if _is_file(body.schema, name):
        return _FILE
    if isinstance(declared, str) and "," not in declared and "*" not in declared:
        return None if any(mark in declared for mark in "\r\n") else declared
    return None


def _is_file(schema: Schema, name: str) -> bool:
    if not isinstance(schema, dict):
        return False
    whole = resolve(schema, schema)
    member = whole.get("properties", {}).get(name) if isinstance(whole, dict) else None
    member = resolve(member, schema) if isinstance(member, dict) else None
    if isinstance(member, dict) and member.get("type") == "array":
        member = resolve(member.get("items", True), schema)
    if not isinstance(member, dict):
        return False
    return member.get("format") == "binary" or member.get("contentMediaType") == _FILE

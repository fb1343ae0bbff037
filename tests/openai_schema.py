"""Whether replies are as OpenAI's published description says; old endpoints as its old SDK reads.

`samples/openai_replies.json` is the part of the published description that this needs. To make it
again from the whole document: `python -m tests.openai_schema ../shared/corpus/openapi/...yaml`.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from tests.openai_legacy_schema import LEGACY

SAMPLE = Path(__file__).parent / "samples" / "openai_replies.json"

REPLIES: Mapping[tuple[str, str], str] = {
    ("POST", "/chat/completions"): "CreateChatCompletionResponse",
    ("POST", "/completions"): "CreateCompletionResponse",
    ("POST", "/embeddings"): "CreateEmbeddingResponse",
    ("GET", "/models"): "ListModelsResponse",
    ("GET", "/models/{id}"): "Model",
    ("GET", "/files"): "ListFilesResponse",
    ("POST", "/files"): "OpenAIFile",
    ("GET", "/files/{id}"): "OpenAIFile",
    ("DELETE", "/files/{id}"): "DeleteFileResponse",
    ("POST", "/images/edits"): "ImagesResponse",
    ("POST", "/images/generations"): "ImagesResponse",
    ("POST", "/images/variations"): "ImagesResponse",
    ("POST", "/moderations"): "CreateModerationResponse",
}
"""The schemas of the published description, by method and path below `/v1`."""

LEGACY_REPLIES: Mapping[tuple[str, str], str] = {
    ("POST", "/edits"): "legacy:edit",
    ("GET", "/engines"): "legacy:engines",
    ("GET", "/engines/{id}"): "legacy:engine",
    ("GET", "/usage"): "legacy:usage",
}

ERROR = "ErrorResponse"
CHAT_CHUNK, TEXT_CHUNK = "CreateChatCompletionStreamResponse", "CreateCompletionStreamResponse"
_SHOWN = 5


def assert_reply(path: str, method: str, status: int, body: Any) -> Any:
    """Check a reply or an error of an endpoint, and give it parsed; `body` is bytes, text or JSON.

    `path` is the one that was asked for, with or without `/v1/` and a query.
    """
    value = json.loads(body) if isinstance(body, bytes | str) else body
    if status >= 400:
        assert_valid(ERROR, value)
        assert set(value) == {"error"}, value
        assert set(value["error"]) == {"message", "type", "param", "code"}, value
        assert value["error"]["message"], value
    else:
        assert_valid(schema_of(path, method), value)
    return value


def assert_stream(
    path: str, events: bytes | Iterable[bytes], *, usage: bool = False, broken: bool = False
) -> list[Any]:
    """Check a whole event stream, and give its chunks; `usage` says that it was asked for.

    A `broken` stream ends with an error event, which is given too, instead of `[DONE]`.
    """
    content = events if isinstance(events, bytes) else b"".join(events)
    chunks = _parsed(content, broken=broken)
    told = chunks[:-1] if broken else chunks
    chat = _template(path).endswith("chat/completions")
    for chunk in told:
        assert_valid(CHAT_CHUNK if chat else TEXT_CHUNK, chunk)
    for member in ("id", "created", "model", "object"):
        assert len({chunk[member] for chunk in told}) <= 1, f"{member} changes within the stream"
    if not broken:
        _check_usage(told, asked=usage)
    for index in {choice["index"] for chunk in told for choice in chunk["choices"]}:
        choices = [one for chunk in told for one in chunk["choices"] if one["index"] == index]
        _check_choice(choices, broken=broken)
        if chat:
            _check_deltas([choice["delta"] for choice in choices], broken=broken)
    return chunks


def assert_valid(name: str, value: Any) -> None:
    """Check a value against a schema by its name."""
    faults = [
        f"{'/'.join(map(str, fault.instance_path))}: {fault.message}"
        for fault in _validator(name).iter_errors(value)
    ]
    assert not faults, f"not {name}: {'; '.join(faults[:_SHOWN])}"


def schema_of(path: str, method: str) -> str:
    """The name of the schema of an endpoint's reply."""
    asked = (method.upper(), _template(path))
    name = REPLIES.get(asked) or LEGACY_REPLIES.get(asked)
    assert name is not None, f"no schema is known for {method} {path}"
    return name


def _template(path: str) -> str:
    path = "/" + path.partition("?")[0].removeprefix("/v1").removeprefix("/")
    acted = re.fullmatch(r"/engines/.+?(/(?:chat/)?completions|/embeddings|/edits)", path)
    if acted:
        return acted[1]
    return re.sub(r"^/(models|files|engines)/.+$", r"/\1/{id}", path)


def _parsed(content: bytes, *, broken: bool) -> list[Any]:
    assert content.endswith(b"\n\n"), content[-80:]
    events = [event for event in content.decode().split("\n\n") if event]
    said = [event for event in events if not event.startswith(":")]
    assert all(event.startswith("data: ") and "\n" not in event for event in said), said
    values = [event.removeprefix("data: ") for event in said]
    assert ("[DONE]" in values) is not broken, values[-1:]
    if broken:
        chunks = [json.loads(value) for value in values]
        assert_reply("", "", 500, chunks[-1])
        return chunks
    assert values.index("[DONE]") == len(values) - 1, "something follows [DONE]"
    return [json.loads(value) for value in values[:-1]]


def _check_usage(chunks: Sequence[Any], *, asked: bool) -> None:
    if not asked:
        assert not any(chunk.get("usage") for chunk in chunks), "usage nobody asked for"
        return
    assert all("usage" in chunk and chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    counted = chunks[-1]["usage"]
    total = counted["prompt_tokens"] + counted["completion_tokens"]
    assert counted["total_tokens"] == total, counted


def _check_choice(choices: Sequence[Any], *, broken: bool) -> None:
    reasons = [choice["finish_reason"] for choice in choices]
    ended = [reason for reason in reasons if reason is not None]
    assert len(ended) <= 1 if broken else len(ended) == 1, reasons
    assert not ended or reasons[-1] is not None, "a choice goes on after its finish_reason"


def _check_deltas(deltas: Sequence[Any], *, broken: bool) -> None:
    assert deltas[0].get("role") == "assistant", deltas[0]
    assert isinstance(deltas[0].get("content"), str), deltas[0]
    assert not any("role" in delta for delta in deltas[1:]), "the role comes twice"
    assert broken or deltas[-1] == {}, deltas[-1]
    begun: set[int] = set()
    for call in (call for delta in deltas for call in delta.get("tool_calls", ())):
        if call["index"] in begun:
            assert "id" not in call, call
            assert "name" not in call["function"], call
        else:
            assert call["id"], call
            assert call["type"] == "function", call
            assert call["function"]["name"], call
        begun.add(call["index"])


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    if name.startswith("legacy:"):
        return jsonschema_rs.Draft202012Validator(LEGACY[name.removeprefix("legacy:")])
    schemas = _schemas()
    assert name in schemas, name
    document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    return jsonschema_rs.Draft202012Validator(document)


@cache
def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = json.loads(SAMPLE.read_bytes())
    # A stream of completions is described in words only: the reply, with what is not known yet.
    chunk = json.loads(json.dumps(schemas["CreateCompletionResponse"]))
    reason = chunk["properties"]["choices"]["items"]["properties"]["finish_reason"]
    reason["enum"].append(None)
    reason["type"] = ["string", "null"]
    chunk["properties"]["usage"] = {"anyOf": [chunk["properties"]["usage"], {"type": "null"}]}
    # The published description of vectors forgets `encoding_format: base64`.
    vector = schemas["Embedding"]["properties"]
    vector["embedding"] = {"anyOf": [vector["embedding"], {"type": "string"}]}
    return {**schemas, TEXT_CHUNK: chunk}


def extract(published: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of the replies in the published description, and all that they refer to."""
    everything, waiting = published["components"]["schemas"], [*REPLIES.values(), CHAT_CHUNK, ERROR]
    found: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _plain(everything[name])
            text = json.dumps(found[name])
            waiting += re.findall(r'"#/components/schemas/([^"]+)"', text)
    return dict(sorted(found.items()))


def _plain(node: Any) -> Any:
    """The schema without prose, with OpenAPI 3.0's `nullable` as JSON Schema says it."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {
        key: _plain(value)
        for key, value in node.items()
        if not (key in {"description", "title"} and isinstance(value, str))
        and key not in {"example", "examples", "discriminator", "default", "nullable"}
        and not key.startswith("x-")
    }
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


def read_published(path: Path) -> dict[str, Any]:
    """The published description; reading it takes a second or two."""
    import yaml

    document: dict[str, Any] = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    return document


if __name__ == "__main__":
    SAMPLE.write_text(json.dumps(extract(read_published(Path(sys.argv[1]))), indent=1) + "\n")

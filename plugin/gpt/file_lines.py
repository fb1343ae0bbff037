"""Files of JSON lines, checked before they are kept: what is wrong is said with its line number."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from plugin.errors import InvalidRequest

Check = Callable[[Mapping[str, Any]], str | None]
"""From the object in a line to what is wrong with it."""

LONGEST_LINE = 8_388_608
MOST_BATCH_LINES = 50_000
LONGEST_ID = 512
_MOST_FAULTS = 5
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_BATCH_URLS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/moderations")


def check_lines(file: BinaryIO, purpose: str) -> None:
    """Read a file for `purpose` to its end, or to its fifth fault; raises `InvalidRequest`.

    Purposes without a form of their own take any bytes, but not none.
    """
    if not file.read(1):
        raise _refused(["the file is empty"])
    file.seek(0)
    checks: Mapping[str, Callable[[], Check]] = {"fine-tune": _Examples, "batch": _Requests}
    if purpose not in checks:
        return
    faults: list[str] = []
    for fault in _faults(file, checks[purpose]()):
        faults.append(fault)
        if len(faults) == _MOST_FAULTS:
            break
    if faults:
        raise _refused(faults)


def _refused(faults: list[str]) -> InvalidRequest:
    return InvalidRequest(
        f"The file was not kept: {'; '.join(faults)}. Mend it and send it again.", param="file"
    )


def _faults(file: BinaryIO, check: Check) -> Iterator[str]:
    number = checked = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1 and line.startswith(_WIDE):
            yield "the file is UTF-16; save it as UTF-8"
            return
        if len(line) > LONGEST_LINE:
            yield f"line {number}: longer than {LONGEST_LINE} bytes"
            return
        line = line.removeprefix(_BOM) if number == 1 else line
        if line.isspace() or not line:
            continue
        checked += 1
        fault = _fault(line, check)
        if fault is not None:
            yield f"line {number}: {fault}"
    if not checked:
        yield "the file has no line with JSON"


def _fault(line: bytes, check: Check) -> str | None:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start + 1})"
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error.msg} at character {error.pos + 1}"
    return check(found) if isinstance(found, dict) else "a JSON object is asked for"


class _Examples:
    """Lines to learn from: chats, or pairs of prompt and completion, but not both in one file."""

    def __init__(self) -> None:
        self._shape: str | None = None

    def __call__(self, example: Mapping[str, Any]) -> str | None:
        shape = "messages" if "messages" in example else "prompt and completion"
        self._shape = self._shape or shape
        if shape != self._shape:
            return f"{shape}, where the lines before have {self._shape}; keep to one"
        return _chat(example) if shape == "messages" else _pair(example)


def _pair(example: Mapping[str, Any]) -> str | None:
    for name in ("prompt", "completion"):
        if name not in example:
            return f"{name} is missing; a line has messages, or prompt and completion"
        if not isinstance(example[name], str):
            return f"{name} must be a text"
    return None


def _chat(example: Mapping[str, Any]) -> str | None:
    messages = example["messages"]
    if not isinstance(messages, list) or not messages:
        return "messages must be a list of at least one message"
    for position, message in enumerate(messages):
        fault = _message(message)
        if fault is not None:
            return f"messages[{position}]{fault}"
    if all(message["role"] != "assistant" for message in messages):
        return "messages has no assistant message, so there is nothing to learn"
    return None


def _message(message: Any) -> str | None:
    if not isinstance(message, dict):
        return " must be an object"
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        return f".role must be one of {', '.join(_ROLES)}"
    calls, name = message.get("tool_calls") or [], message.get("tool_call_id")
    says_nothing = (
        content is None and role == "assistant" and (calls or message.get("function_call"))
    )
    faults = (
        (not (_is_content(content) or says_nothing), ".content must be a text or a list of parts"),
        (not isinstance(calls, list), ".tool_calls must be a list"),
        (role == "tool" and not isinstance(name, str), ".tool_call_id must be a text"),
        (message.get("weight", 1) not in (0, 1, None), ".weight must be 0 or 1"),
    )
    return next((text for is_so, text in faults if is_so), None)


def _is_content(content: Any) -> bool:
    if not isinstance(content, list):
        return isinstance(content, str)
    return bool(content) and all(
        isinstance(part, dict) and isinstance(part.get("type"), str) for part in content
    )


class _Requests:
    """Lines of a batch: each a request with an id of its own."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def __call__(self, line: Mapping[str, Any]) -> str | None:
        name = line.get("custom_id")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
            return f"custom_id must be a text of 1 to {LONGEST_ID} characters"
        if name in self._ids:
            return f"custom_id {name[:64]!r} was used in a line before"
        self._ids.add(name)
        if len(self._ids) > MOST_BATCH_LINES:
            return f"a batch has {MOST_BATCH_LINES} requests at most"
        return _request(line)


def _request(line: Mapping[str, Any]) -> str | None:
    if line.get("method") != "POST":
        return 'method must be "POST"'
    if line.get("url") not in _BATCH_URLS:
        return f"url must be one of {', '.join(_BATCH_URLS)}"
    return None if isinstance(line.get("body"), dict) else "body must be an object"

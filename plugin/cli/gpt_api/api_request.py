"""The arguments of `plugin api` as a request: where to, and with which body."""

import json
import mimetypes
import secrets
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plugin.cli.gpt_api.api_client import Body, as_json
from plugin.cli.gpt_api.api_options import messages, text
from plugin.cli.gpt_api.api_verbs import Verb
from plugin.errors import CannotRun

_MODEL_IS_NEEDED = ("/chat/completions", "/completions")
_TEXTS = ("prompt", "input")
_TUNED_BY = ("n_epochs", "batch_size", "learning_rate_multiplier")
_NEW_JOBS = "/fine_tuning/jobs"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send, and whether the answer is to come piece by piece."""

    method: str
    path: str
    body: Body | None
    stream: bool


def make(verb: Verb, given: Namespace) -> Request:
    """The request. Raises CannotRun for what a service need not be asked."""
    fields = list(dict.fromkeys(option.field for option in verb.options))
    # What was not given is not sent: the service's defaults are its own.
    members = {name: getattr(given, name) for name in fields if getattr(given, name) is not None}
    path = verb.path.replace("{id}", quote(str(members.pop("id", "")), safe=""))
    if verb.method != "POST":
        return Request(verb.method, path, None, stream=False)
    members = _members(verb, members)
    stream = bool(members.get("stream"))
    if stream and members.get("n", 1) > 1 and not given.json:
        raise CannotRun("several answers cannot be printed at once; leave out --stream, or --json")
    if verb.path in _MODEL_IS_NEEDED and "model" not in members:
        raise CannotRun("-m MODEL is needed; `plugin api models.list` shows what there is")
    body = _form(members, verb.files) if verb.files else as_json(members)
    return Request(verb.method, path, body, stream)


def _members(verb: Verb, members: dict[str, Any]) -> dict[str, Any]:
    if "messages" in members:
        members["messages"] = messages(members["messages"], members.pop("system", None))
    for name in _TEXTS:
        if isinstance(members.get(name), str):
            members[name] = text(members[name])
    for name in ("stop", "input"):
        if isinstance(members.get(name), list):
            several = [one for words in members[name] for one in words]
            members[name] = several[0] if len(several) == 1 else several
    if verb.path == "/completions":
        # The old command always asked for the prompt, too; no model has an echo before a suffix.
        wanted = "echo" in members or "suffix" not in members
        members |= {"echo": True} if wanted and not members.pop("no_echo", False) else {}
    if verb.path == _NEW_JOBS:
        tuned = {name: members.pop(name) for name in _TUNED_BY if name in members}
        members |= {"hyperparameters": tuned} if tuned else {}
    return members


def _form(members: dict[str, Any], files: frozenset[str]) -> Body:
    boundary = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, value in members.items():
        disposition = f'Content-Disposition: form-data; name="{name}"'
        content, kind = str(value).encode(), ""
        if name in files:
            path = Path(value)
            content = _content(path)
            disposition += f'; filename="{_quoted(path.name)}"'
            guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            kind = f"\r\nContent-Type: {guessed}"
        head = f"--{boundary}\r\n{disposition}{kind}\r\n\r\n"
        parts.append(head.encode() + content + b"\r\n")
    whole = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return Body(whole, f"multipart/form-data; boundary={boundary}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotRun(f"cannot read {path}: {why}; give a file") from None


def _quoted(name: str) -> str:
    """As browsers write it."""
    plain = name.encode("utf-8", "replace").decode()
    return json.dumps(plain, ensure_ascii=False)[1:-1].replace('\\"', "%22").replace("\\\\", "\\")

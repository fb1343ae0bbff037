"""What one key does to take threads, connections and processors from all others."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

from tests.attacks.flood import request
from tests.journeys.running import Address, Settings, new_key, running, until

_WORDS = [f"word{number}" for number in range(200)]
"""Few different ones, so that each question meets many chunks."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What is sent, by how many connections; `leave_after` so many seconds they are opened anew."""

    name: str
    requests: Callable[[str, "Sizes"], Sequence[bytes]]
    leave_after: float | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large an attack is: connections, seconds, stored documents, words and bytes sent."""

    connections: int = 250
    seconds: float = 20
    documents: int = 400
    words: int = 3_000
    upload: int = 1_000_000


def _text(random: Random, words: int) -> str:
    return " ".join(random.choices(_WORDS, k=words))


def queries(key: str, _sizes: Sizes) -> list[bytes]:
    """Ten questions at once, each of which meets most of what is stored."""
    random = Random(1)  # noqa: S311 - no secret
    asked = [
        {"queries": [{"query": _text(random, 20), "top_k": 20} for _ in range(10)]}
        for _ in range(20)
    ]
    return [request("POST", "/documents/query", key, one) for one in asked]


def stores(key: str, sizes: Sizes) -> list[bytes]:
    """Many documents in one transaction."""
    random = Random(2)  # noqa: S311 - no secret
    return [
        request("POST", "/documents", key, _documents(random, sizes.words, name))
        for name in range(5)
    ]


def _documents(random: Random, words: int, name: int) -> dict[str, object]:
    return {
        "documents": [
            {"id": f"{name}-{number}", "text": _text(random, words)} for number in range(20)
        ]
    }


def uploads(key: str, sizes: Sizes) -> list[bytes]:
    """Files whose every line is checked, and the last one refused, so that the disk stays empty."""
    line = (
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    )
    form = (
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
        + line * (sizes.upload // len(line))
        + b"no JSON\r\n--x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return [request("POST", "/v1/files", key, form, headers)]


def repeated(key: str, _sizes: Sizes) -> list[bytes]:
    """Calls with a new Idempotency-Key each; the same ones come again after 2,000."""
    return [
        request("POST", "/todos", key, {"text": "a" * 500}, {"Idempotency-Key": str(uuid4())})
        for _ in range(2_000)
    ]


def metrics(key: str, _sizes: Sizes) -> list[bytes]:
    """All figures of all workers."""
    return [request("GET", "/metrics", key)]


def reports(key: str, _sizes: Sizes) -> list[bytes]:
    """Sums of the ledger, and lists."""
    return [
        request("GET", "/v1/usage?start_date=2026-01-01&end_date=2026-12-31", key),
        request("GET", "/v1/files", key),
    ]


ATTACKS = (
    Attack("queries", queries),
    Attack("queries whose callers leave", queries, leave_after=0.5),
    Attack("stores", stores),
    Attack("uploads", uploads),
    Attack("idempotent calls", repeated),
    Attack("metrics", metrics),
    Attack("reports", reports),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A running service, a key that attacks it, and the key of a victim."""

    port: int
    attacker: str
    victim: str
    chat: bool


@contextmanager
def scene(directory: Path, sizes: Sizes, settings: Settings) -> Iterator[Scene]:
    """A service with documents of the attacker."""
    with running(directory, "serve", settings=settings) as service:
        chat = settings.get("PLUGIN_ENGINE") == "embedded"
        if chat:
            until(lambda: b'"engine":"ready"' in service.address.call("GET", "/readyz").body)
        attacker = new_key(directory)["key"]
        _fill(service.address, attacker, sizes)
        yield Scene(service.address.port, attacker, new_key(directory)["key"], chat)


def _fill(address: Address, key: str, sizes: Sizes) -> None:
    random = Random(3)  # noqa: S311 - no secret
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for name in range(sizes.documents // 20):
        body = json.dumps(_documents(random, sizes.words, 100 + name))
        answer = address.call("POST", "/documents", headers, body)
        assert answer.status == 200, answer.body

"""A caller beside an attack: how long its calls take, and whether any of them fails.

    with Victims(port, key, chat=True) as victims:
        ...  # attack with another key
    victims.tell(promises)

The calls are made by a process of its own, so that an attacker in this one does not slow it down.
Each kind of call has a thread and a connection of its own: a slow kind hides nothing of the others.
"""

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Self
from uuid import uuid4

from tests.bench.promises import Promises

HEALTHZ, TODOS, CHAT, POST = "GET /healthz", "GET /todos", "4-token chat", "idempotent POST"

PROMISED: Mapping[str, float] = {HEALTHZ: 0.1, TODOS: 0.3, CHAT: 5.0, POST: 1.0}
"""The p99 in seconds that each kind of call keeps during an attack by one other key."""

NO_ANSWER = 0
"""The status of a call whose connection broke, or that had no answer in time."""

_TIMEOUT = 60.0
_PAUSE = 0.05
_PAUSE_OF_CHATS = 0.25


@dataclass(frozen=True, slots=True)
class Measured:
    """The calls of one kind: their seconds in ascending order, and how many had each status."""

    seconds: Sequence[float]
    statuses: Mapping[int, int]

    @property
    def failed(self) -> int:
        """Calls without an answer, or with one of 500 and above."""
        return sum(
            count
            for status, count in self.statuses.items()
            if status == NO_ANSWER or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        )

    def quantile(self, part: float) -> float:
        """The seconds within which this part of the calls was answered."""
        if not self.seconds:
            return float("inf")
        return self.seconds[max(0, ceil(part * len(self.seconds)) - 1)]

    def __str__(self) -> str:
        p50, p99, longest = (f"{1000 * self.quantile(part):.0f}" for part in (0.5, 0.99, 1))
        return (
            f"p50 {p50} ms, p99 {p99} ms, max {longest} ms; "
            f"{len(self.seconds)} calls {dict(self.statuses)}"
        )


class Victims:
    """Calls a running service for as long as the context lasts; `measured` is there after it.

    `chat` needs an engine. `model` is the model that chats ask.
    """

    def __init__(
        self, port: int, key: str, *, chat: bool = False, model: str = "gpt-3.5-turbo"
    ) -> None:
        self._arguments = [str(port), "--key", key, "--model", model, *(["--chat"] if chat else [])]
        self._process: subprocess.Popen[str] | None = None
        self.measured: Mapping[str, Measured] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "tests.attacks.victims", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the victim has no answer before the attack"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        said, _err = self._process.communicate(timeout=2 * _TIMEOUT)
        self.measured = {
            kind: Measured(
                sorted(one["seconds"]),
                {int(status): count for status, count in one["statuses"].items()},
            )
            for kind, one in json.loads(said).items()
        }

    def tell(self, promises: Promises) -> None:
        """Print what was measured beside what is promised."""
        for kind, measured in self.measured.items():
            promises.tell(f"{kind}: {measured}")
            promised, p99 = PROMISED[kind], measured.quantile(0.99)
            promises.check(
                f"p99 of {kind}",
                f"{1000 * p99:.0f} ms",
                f"<= {1000 * promised:.0f} ms",
                kept=p99 <= promised,
            )
            promises.none(f"{kind} with a 5xx or without an answer", measured.failed)


@dataclass(slots=True)
class _Kind:
    """One kind of call; `request` gives method, path, headers and body of the next one."""

    request: Callable[[], tuple[str, str, dict[str, str], bytes | None]]
    pause: float
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class _Caller:
    """What the process of a victim does."""

    def __init__(self, port: int, kinds: Mapping[str, _Kind]) -> None:
        self._port = port
        self._kinds = kinds
        self._ended = threading.Event()

    def run(self) -> None:
        """Call until standard input ends, then write what was measured."""
        for kind in self._kinds.values():
            self._call(self._connect(), kind)  # opens what is opened once; it is not measured
            kind.seconds.clear()
            kind.statuses.clear()
        print("calling", flush=True)
        threads = [threading.Thread(target=self._keep, args=(one,)) for one in self._kinds.values()]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._ended.set()
        for thread in threads:
            thread.join()
        found = {
            name: {"seconds": kind.seconds, "statuses": kind.statuses}
            for name, kind in self._kinds.items()
        }
        print(json.dumps(found), flush=True)

    def _keep(self, kind: _Kind) -> None:
        connection = self._connect()
        while not self._ended.wait(kind.pause):
            self._call(connection, kind)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT)

    def _call(self, connection: http.client.HTTPConnection, kind: _Kind) -> None:
        method, path, headers, body = kind.request()
        begun = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            connection.close()
            status = NO_ANSWER
        kind.seconds.append(time.perf_counter() - begun)
        kind.statuses[status] += 1


def _kinds(key: str, model: str, *, chat: bool) -> dict[str, _Kind]:
    bearer = {"Authorization": f"Bearer {key}"}
    json_headers = {**bearer, "Content-Type": "application/json"}
    question: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 4,
    }

    def post() -> tuple[str, str, dict[str, str], bytes | None]:
        headers = {**json_headers, "Idempotency-Key": str(uuid4())}
        return "POST", "/todos", headers, b'{"text": "Buy milk"}'

    asked = json.dumps(question).encode()
    kinds = {
        HEALTHZ: _Kind(lambda: ("GET", "/healthz", {}, None), _PAUSE),
        TODOS: _Kind(lambda: ("GET", "/todos?limit=5", bearer, None), _PAUSE),
        POST: _Kind(post, _PAUSE),
    }
    if chat:
        kinds[CHAT] = _Kind(
            lambda: ("POST", "/v1/chat/completions", json_headers, asked), _PAUSE_OF_CHATS
        )
    return kinds


def main() -> None:
    """Be the victim: until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--key", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--chat", action="store_true")
    given = parser.parse_args()
    _Caller(given.port, _kinds(given.key, given.model, chat=given.chat)).run()


if __name__ == "__main__":
    main()

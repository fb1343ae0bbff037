"""A few helper processes for work on callers' schemas: started when needed, killed when late."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from plugin.engines.llama.grammar.preparation import Unfit
from plugin.engines.llama.grammar.schema_process import LENGTH
from plugin.engines.llama.refusals import unavailable
from plugin.pools.turns import Turns

_COMMAND = (sys.executable, "-P", "-m", "plugin.engines.llama.grammar.schema_process")
_OVER_BUDGET = getattr(signal, "SIGPROF", 0)
_A_MOMENT = 0.02


class _Helper:
    """One process and the connection to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                _COMMAND,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_surroundings(),
                start_new_session=True,
            )
        ours.setblocking(False)
        self._connection = ours

    async def ask(self, content: bytes) -> Any:
        """The answer to one task. Raises OSError or EOFError if the process ended instead."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._connection, LENGTH.pack(len(content)) + content)
        head = await self._exactly(loop, LENGTH.size)
        return json.loads(await self._exactly(loop, LENGTH.unpack(head)[0]))

    async def _exactly(self, loop: asyncio.AbstractEventLoop, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            piece = await loop.sock_recv(self._connection, size - len(content))
            if not piece:
                raise EOFError
            content += piece
        return bytes(content)

    def end(self) -> None:
        """Kill the process; a thread waits for its end, which takes a moment when it is large."""
        self._connection.close()
        self._process.kill()
        threading.Thread(target=self._process.wait, name="schema-end", daemon=True).start()

    async def code(self) -> int | None:
        """The exit code of a process that has closed its connection."""
        for _ in range(50):
            if self._process.poll() is not None:
                break
            await asyncio.sleep(_A_MOMENT)
        code = self._process.poll()
        self.end()
        return code


class SchemaPool:
    """Carries out tasks in helper processes, one for each place of `turns`.

    A task has `cpu` seconds of CPU, a verdict a fifth of them, and `wall` seconds in all, its start
    included. Cancelling a task kills its process, or drops it if it still waits.
    """

    def __init__(self, turns: Turns | None = None, *, cpu: float = 1.5, wall: float = 20.0) -> None:
        self._cpu = cpu
        self._wall = wall
        self._turns = turns or Turns("work on schemas", 2)
        self._idle: list[_Helper] = []
        weakref.finalize(self, _end_all, self._idle)

    async def carried_out(self, task: str, arguments: Mapping[str, Any]) -> Any:
        """The result of a task of `preparation`.

        Raises Unfit, also over the CPU budget; EngineUnavailable after `wall` seconds, when the
        machine is busy; and Overloaded where no turn comes.
        """
        cpu = self._cpu / 5 if task == "judge" else self._cpu
        content = json.dumps({"task": task, "arguments": arguments, "seconds": cpu}).encode()
        async with self._turns.turn():
            answer = await self._answer(content)
        if "unfit" in answer:
            raise Unfit(answer["unfit"])
        return answer["result"]

    def close(self) -> None:
        """End the processes that wait for work."""
        _end_all(self._idle)

    async def _answer(self, content: bytes) -> Any:
        for _ in range(2):
            helper = self._idle.pop() if self._idle else _Helper()
            try:
                async with asyncio.timeout(self._wall):
                    answer = await helper.ask(content)
            except TimeoutError:
                helper.end()
                raise unavailable(
                    "The service is too busy to read this schema. Try again in a second."
                ) from None
            except (OSError, EOFError):
                if await helper.code() == -_OVER_BUDGET:
                    raise Unfit(f"preparing it takes more than {self._cpu:g} s of CPU") from None
            except BaseException:
                helper.end()
                raise
            else:
                self._idle.append(helper)
                return answer
        raise Unfit("the process that prepared it ended")


def _end_all(helpers: list[_Helper]) -> None:
    while helpers:
        helpers.pop().end()


def _surroundings() -> dict[str, str]:
    """What a helper needs of our environment: no setting, least of all a secret one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLUGIN_")}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

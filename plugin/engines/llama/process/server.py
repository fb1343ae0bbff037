"""The child process of the embedded engine: two llama.cpp servers on loopback, behind one key.

The only module that knows `xllamacpp`. What to do comes as one line of JSON on stdin, which then
stays open: when it closes, the parent is gone, and so is this process. Where the servers listen is
the first line of JSON on stdout. Each further line names a server that makes progress.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from xllamacpp import CommonParams

RUNTIME = "xllamacpp"
"""The package without which there is no embedded engine."""

_VECTOR_TOKENS = 512  # the longest input of the embedding model
_HTTP_THREADS = 64
_CACHE_MIB = 128
# Between two batches of a prompt the others' next tokens are decoded, and it is noticed who has
# left. On a CPU a prompt is read no faster in larger ones.
_BATCH = 32
_ERRORS_ONLY = 1
_LOADING_FAILED = 3
_BEAT_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to serve. `context` is in tokens a slot; a port of 0 is any free one."""

    text_model: str
    text_name: str
    vector_model: str
    vector_name: str
    key: str
    threads: int
    slots: int
    context: int
    text_port: int = 0
    vector_port: int = 0


def run(told: BinaryIO, answer: BinaryIO) -> None:
    """Serve what the first line of `told` says until it closes; does not return."""
    plan = Plan(**json.loads(told.readline()))
    # Nothing here is worth an orderly end, and nothing may delay it: os._exit leaves at once.
    try:
        text, vectors = _serve(_text(plan)), _serve(_vectors(plan))
    except RuntimeError:
        # llama.cpp has said on stderr why
        os._exit(_LOADING_FAILED)
    threading.Thread(target=_leave_with, args=(told,), daemon=True).start()
    addresses = {"text": text.listening_address, "vectors": vectors.listening_address}
    answer.write(json.dumps(addresses).encode() + b"\n")
    answer.flush()
    for name, server in (("text", text), ("vectors", vectors)):
        threading.Thread(target=_beat, args=(server, name, answer), daemon=True).start()
    threading.Event().wait()


def _beat(server: Any, name: str, answer: BinaryIO) -> None:
    """Say again and again that a server's decoding loop has finished a pass.

    The loop itself answers for its figures, between two batches; not over HTTP, where requests that
    wait may hold every thread.
    """
    while True:
        server.handle_metrics()
        answer.write(name.encode() + b"\n")
        answer.flush()
        time.sleep(_BEAT_EVERY)


def _leave_with(told: BinaryIO) -> None:
    while told.read(4096):
        pass
    os._exit(0)


def _serve(parameters: "CommonParams") -> Any:
    from xllamacpp import Server

    return Server(parameters)


def _text(plan: Plan) -> "CommonParams":
    return _with(
        _common(plan, plan.text_model, plan.text_name, plan.text_port),
        {
            # shared by the slots in equal parts
            "n_ctx": plan.context * plan.slots,
            "n_batch": max(_BATCH, plan.slots),
            "n_ubatch": max(_BATCH, plan.slots),
            "n_threads_http": _http_threads(plan),
            # prompts of slots that were given to others, kept in case their conversation goes on
            "cache_ram_mib": _CACHE_MIB,
        },
    )


def _vectors(plan: Plan) -> "CommonParams":
    from xllamacpp import llama_pooling_type

    # An input is never split, so a batch holds the longest for every slot.
    tokens = _VECTOR_TOKENS * plan.slots
    return _with(
        _common(plan, plan.vector_model, plan.vector_name, plan.vector_port),
        {
            "embedding": True,
            "pooling_type": llama_pooling_type.LLAMA_POOLING_TYPE_MEAN,
            "n_ctx": tokens,
            "n_batch": tokens,
            "n_ubatch": tokens,
            "n_threads_http": _http_threads(plan),
            "cache_ram_mib": 0,
        },
    )


def _http_threads(plan: Plan) -> int:
    # Every stream holds one from its beginning to its end, and so does every request that waits.
    return max(_HTTP_THREADS, plan.slots * 8)


def _common(plan: Plan, path: str, name: str, port: int) -> "CommonParams":
    from xllamacpp import CommonParams

    parameters = CommonParams()
    parameters.model.path = path
    parameters.cpuparams.n_threads = plan.threads
    parameters.cpuparams_batch.n_threads = plan.threads
    return _with(
        parameters,
        {
            "model_alias": {name},
            "hostnames": ["127.0.0.1"],
            "port": port,
            "api_keys": [plan.key],
            "n_parallel": plan.slots,
            "n_gpu_layers": 0,
            # A prompt that is too long is refused, never shortened in silence.
            "ctx_shift": False,
            # What was asked for, or an error; not what would fit the memory.
            "fit_params": False,
            "ui": False,
            "endpoint_metrics": True,
            "verbosity": _ERRORS_ONLY,
        },
    )


def _with(parameters: "CommonParams", values: Mapping[str, Any]) -> "CommonParams":
    for name, value in values.items():
        setattr(parameters, name, value)
    return parameters


if __name__ == "__main__":
    run(sys.stdin.buffer, sys.stdout.buffer)

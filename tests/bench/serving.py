"""What benches of the HTTP side share: services in child processes, and load by wrk."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONNECTIONS = 48


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, seconds: float = 60) -> None:
    """Return as soon as something listens there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the service did not start")


def serve(app: Any, port: int, http: Any = "httptools") -> None:
    """Serve in this process, as uvicorn is run; `http` is how connections are spoken with."""
    import uvicorn

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http=http,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )


class Service:
    """A child process that runs a bench's script with `--child NAME`, and serves."""

    def __init__(self, script: str, name: str, directory: Path, *arguments: str) -> None:
        self.port = free_port()
        self.log = (directory / f"{name}.log").open("wb")
        given = ["--child", name, "--port", str(self.port), "--directory", str(directory)]
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, script, *given, *arguments],
            stderr=self.log,
            env={**os.environ, "PYTHONPATH": str(Path(script).resolve().parents[2])},
        )
        wait_for(self.port)

    def cpu(self) -> float:
        """Seconds of CPU spent so far."""
        return cpu_of(self.process.pid)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(url: str, seconds: float, script: Path, arguments: Sequence[str] = ()) -> tuple[int, float]:
    """Requests and the seconds that they took; `script` is Lua and may add to `wrk.headers`."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script)]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, url, *arguments], check=True, capture_output=True, text=True
    )
    count, microseconds, errors = map(int, done.stdout.split("\n")[-2].split())
    if errors:
        raise SystemExit(f"{errors} requests failed")
    return count, microseconds / 1e6


DONE = (
    "done = function(s, l, r) io.write(string.format('%d %d %d\\n', s.requests, s.duration,"
    " s.errors.status + s.errors.connect + s.errors.read + s.errors.timeout)) end\n"
)
"""The end of such a script."""

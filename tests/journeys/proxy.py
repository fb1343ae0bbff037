"""The committed Caddyfile in front of something that listens on loopback."""

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import PATIENCE, Address, free_port, until

CADDYFILE = Path(__file__).parents[2] / "infra" / "Caddyfile"
INSTALL_SECONDS = 180


@dataclass(frozen=True)
class Proxy:
    """Where it listens for TLS, for plain HTTP, and for who asks whether it lives."""

    https: Address
    http: Address
    health: Address
    authority: Path
    log: Path

    def record(self, uri: str) -> dict[str, Any]:
        """The first record of a request for this address, as soon as it is written."""
        return until(lambda: next((one for one in self._requests() if one["uri"] == uri), {}))

    def _requests(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line["request"] for line in records if "request" in line]


def caddy() -> str:
    """The program; where root can install it and it is missing, it is installed."""
    found = shutil.which("caddy")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for step in (("update",), ("install", "--yes", "--no-install-recommends", "caddy")):
            subprocess.run(  # noqa: S603 - no word of it comes from outside
                ["apt-get", *step],  # noqa: S607 - the system's own
                capture_output=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
        found = shutil.which("caddy")
    if found is None:
        pytest.skip("caddy is not installed, and cannot be: only root on Debian or Ubuntu can")
    return found


@contextmanager
def proxying(
    directory: Path, upstream: int, *, port: int | None = None, domain: str = "localhost"
) -> Iterator[Proxy]:
    """Caddy as the compose file starts it, but on free ports and with its state in `directory`."""
    https, http, health = (port or free_port(), free_port(), free_port())
    ports = {"HTTPS_PORT": https, "HTTP_PORT": http, "HEALTH_PORT": health}
    state = directory / "caddy"
    environment = {
        **os.environ,
        **{name: str(number) for name, number in ports.items()},
        "DOMAIN": domain,
        "UPSTREAM": f"127.0.0.1:{upstream}",
        "XDG_DATA_HOME": str(state),
        "XDG_CONFIG_HOME": str(state),
    }
    log = directory / "caddy.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - the program that is tested
            [caddy(), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
    try:
        authority = state / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        until(lambda: _lives(process, log, Address(health), authority))
        tls = ssl.create_default_context(cafile=authority)
        # the authority makes them in the background
        until(lambda: all(_has_certificate(https, tls, name) for name in domain.split(", ")))
        yield Proxy(Address(https, tls), Address(http), Address(health), authority, log)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _lives(process: "subprocess.Popen[bytes]", log: Path, health: Address, authority: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return health.call("GET", "/").status == 200 and authority.exists()
    except ConnectionError:
        return False


def _has_certificate(port: int, tls: ssl.SSLContext, name: str) -> bool:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
        try:
            tls.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLError as error:
            if error.reason == "TLSV1_ALERT_INTERNAL_ERROR":
                return False
            raise
    return True

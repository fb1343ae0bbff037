"""A stand-in for an identity provider: publishes its keys on loopback as real ones do."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.auth.tokens import AUDIENCE, Author, public_jwk


class Provider(ThreadingHTTPServer):
    """Signs with any of its keys, publishes those in `published`, and counts who asks.

    `broken` makes it answer 503, `moved_to` redirect; it waits while `answering` is not set.
    """

    daemon_threads = True
    issuer = "https://id.example.com"

    def __init__(self, algorithm: str = "RS256") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.algorithm = algorithm
        self.url = f"http://127.0.0.1:{self.server_port}/.well-known/jwks.json"
        self.published = [0]
        self.asked = 0
        self.broken = False
        self.moved_to = ""
        self.answering = threading.Event()
        self.answering.set()

    def author(self, serial: int = 0) -> Author:
        return Author(self.issuer, self.algorithm, serial)

    def token(self, serial: int = 0, kid: str | None = None, **claims: Any) -> str:
        """A token of key `serial`, under its own id when no other is given."""
        author = self.author(serial)
        header = author.header(kid=f"key-{serial}" if kid is None else kid)
        return author.sign(header, author.claims(**claims)).decode()

    def settings(self) -> dict[str, Any]:
        """What makes a service trust it: an object of PLUGIN_JWT_ISSUERS."""
        return {
            "issuer": self.issuer,
            "audience": AUDIENCE,
            "algorithm": self.algorithm,
            "jwks_url": self.url,
        }

    def document(self) -> dict[str, Any]:
        members = {"use": "sig", "alg": self.algorithm}
        return {
            "keys": [
                public_jwk(self.author(serial).private, kid=f"key-{serial}", **members)
                for serial in self.published
            ]
        }


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.answering.wait(20)
        body = b"down" if self.server.broken else json.dumps(self.server.document()).encode()
        moved = 302 if self.server.moved_to else 200
        self.send_response(503 if self.server.broken else moved)
        if self.server.moved_to:
            self.send_header("Location", self.server.moved_to)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Cache-Control", "public, max-age=600, must-revalidate")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests quiet."""


@contextmanager
def provider(algorithm: str = "RS256") -> Iterator[Provider]:
    """It listens on loopback."""
    with Provider(algorithm) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.answering.set()
            server.shutdown()
            thread.join()

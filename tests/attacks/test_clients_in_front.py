"""Clients that offer an upgrade, and proxies in front: bodies arrive, trailers are no headers.

Each runs where its program is installed, and is skipped with one line elsewhere.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.raw_http import Raw
from tests.journeys.running import (
    Address,
    Running,
    bearer,
    free_port,
    readiness,
    until,
)

pytestmark = pytest.mark.long

TODO = {"text": "water the plants"}

NGINX = """
daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{service}; proxy_http_version 1.1;
      proxy_request_buffering off; proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }} }} }}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server one 127.0.0.1:{service}
"""

CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  reverse_proxy 127.0.0.1:{service}
}}
"""

PROXIES = {
    "nginx": ("nginx", NGINX, ["-c", "{file}", "-p", "{folder}"]),
    "haproxy": ("haproxy", HAPROXY, ["-f", "{file}"]),
    "caddy": ("caddy", CADDY, ["run", "--config", "{file}", "--adapter", "caddyfile"]),
}

JAVA = """
import java.net.URI;
import java.net.http.*;

public class Post {
  public static void main(String[] given) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(given[0]))
        .header("Authorization", given[1]).header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(given[2])).build();
    HttpClient client = HttpClient.newHttpClient();
    for (int call = 0; call < 3; call++) {
      System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
  }
}
"""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def output(*command: str) -> str:
    """What a program prints that ends well."""
    return subprocess.run(  # noqa: S603 - a program of this machine
        command, check=True, capture_output=True, text=True, timeout=60
    ).stdout


@contextmanager
def proxy(name: str, service: int, folder: Path) -> Iterator[Address]:
    """A proxy in front of the service, as soon as it answers."""
    command, text, arguments = PROXIES[name]
    found, port, file = program(command), free_port(), folder / "configuration"
    file.write_text(text.format(folder=folder, port=port, service=service))
    given = [one.format(file=file, folder=folder) for one in arguments]
    with (folder / "proxy.txt").open("wb") as out:
        process = subprocess.Popen([found, *given], stdout=out, stderr=out)  # noqa: S603 - the same
    try:
        address = Address(port)
        until(lambda: process.poll() is not None or readiness(address) == 200)
        assert process.poll() is None, (folder / "proxy.txt").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(20)


def test_curl_that_offers_http2(service: Running, key: dict[str, Any]) -> None:
    curl = program("curl")
    if "HTTP2" not in output(curl, "--version"):
        pytest.skip("this curl has no HTTP/2")
    url = f"http://127.0.0.1:{service.address.port}/todos"
    shown = "%{http_code} %{http_version}"
    given = ["-H", f"Authorization: {bearer(key)['Authorization']}", "--json", json.dumps(TODO)]
    assert output(curl, "-sS", "--http2", "-o", "-", "-w", shown, *given, url)[-7:] == "201 1.1"


def test_java(service: Running, key: dict[str, Any], tmp_path: Path) -> None:
    program("javac")  # a runtime alone cannot read a source file
    (tmp_path / "Post.java").write_text(JAVA)
    url = f"http://127.0.0.1:{service.address.port}/todos"
    credential = bearer(key)["Authorization"]
    told = output(program("java"), str(tmp_path / "Post.java"), url, credential, json.dumps(TODO))
    assert told.split() == ["201"] * 3


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_in_front(service: Running, key: dict[str, Any], tmp_path: Path, name: str) -> None:
    with proxy(name, service.address.port, tmp_path) as address:
        headers = {**bearer(key), "Content-Type": "application/json"}
        upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": ""}
        for more in ({}, upgrade):
            sent = json.dumps(TODO)
            answer = address.call("POST", "/todos", headers | more, sent)
            assert answer.status == 201, answer
        with Raw(address.port) as raw:
            trailer = b"Authorization: " + bearer(key)["Authorization"].encode()
            raw.send(
                b"POST /todos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Trailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n"
            )
            assert raw.answer().status == 401

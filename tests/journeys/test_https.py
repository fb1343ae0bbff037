"""The service behind TLS, as it is deployed: Caddy with the committed Caddyfile in front of it."""

import http.client
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.proxy import Proxy, proxying
from tests.journeys.running import (
    PATIENCE,
    Address,
    Answer,
    Running,
    bearer,
    free_port,
    new_key,
    running,
)

BODY_LIMIT = 1_048_576
JSON = {"Content-Type": "application/json"}
SPOOFED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "http",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=http",
}


@dataclass(frozen=True)
class Deployed:
    """A service that knows its public address, the proxy before it, and a key."""

    service: Running
    proxy: Proxy
    key: dict[str, str]

    @property
    def url(self) -> str:
        return f"https://localhost:{self.proxy.https.port}"

    def client_of(self, answer: Answer) -> Any:
        """Whom the service's access log names as the caller."""
        return self.service.record(answer.headers["x-request-id"])["client"]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    directory, port = tmp_path_factory.mktemp("deployed"), free_port()
    settings = {
        "PLUGIN_PUBLIC_URL": f"https://localhost:{port}",
        "PLUGIN_TRUSTED_PROXIES": "127.0.0.1",
        "PLUGIN_BODY_LIMIT": str(BODY_LIMIT),
    }
    with (
        running(directory, "serve", settings=settings) as service,
        proxying(
            directory, service.address.port, port=port, domain="localhost, plugin.localhost"
        ) as proxy,
    ):
        yield Deployed(service, proxy, bearer(new_key(directory)))


def test_the_documents_name_the_address_behind_tls(deployed: Deployed) -> None:
    manifest = deployed.proxy.https.call("GET", "/.well-known/ai-plugin.json")
    assert (manifest.status, manifest.headers["content-type"]) == (200, "application/json")
    assert manifest.json()["api"]["url"] == f"{deployed.url}/openapi.json"
    assert manifest.json()["logo_url"] == f"{deployed.url}/.well-known/logo.png"

    openapi = deployed.proxy.https.call("GET", "/openapi.json")
    assert (openapi.status, openapi.json()["servers"]) == (200, [{"url": deployed.url}])

    logo = deployed.proxy.https.call("GET", "/.well-known/logo.png")
    assert (logo.status, logo.body[:4]) == (200, b"\x89PNG")


def test_an_operation_over_tls(deployed: Deployed) -> None:
    https = deployed.proxy.https
    added = https.call("POST", "/todos", deployed.key | JSON, '{"text": "Buy milk"}')
    assert (added.status, added.json()["text"]) == (201, "Buy milk")
    listed = https.call("GET", "/todos", deployed.key)
    assert added.json() in listed.json()["todos"]


def test_nobody_trusts_the_internal_authority_unasked(deployed: Deployed) -> None:
    unasked = replace(deployed.proxy.https, tls=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        unasked.call("GET", "/healthz")


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")]
)
def test_http_2_is_negotiated(deployed: Deployed, offered: list[str], chosen: str) -> None:
    tls = ssl.create_default_context(cafile=deployed.proxy.authority)
    tls.set_alpn_protocols(offered)
    address = ("127.0.0.1", deployed.proxy.https.port)
    with (
        socket.create_connection(address, PATIENCE) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.selected_alpn_protocol() == chosen
        assert secured.version() == "TLSv1.3"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_is_refused(deployed: Deployed, version: ssl.TLSVersion) -> None:
    tls = ssl.create_default_context(cafile=deployed.proxy.authority)
    # OpenSSL itself refuses these at its usual level; here the server is to do it
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = tls.maximum_version = version
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        replace(deployed.proxy.https, tls=tls).call("GET", "/healthz")


def test_an_operation_over_http_2(deployed: Deployed) -> None:
    curl = curl_with_http_2()
    done = subprocess.run(  # noqa: S603 - found on this machine
        [
            *(curl, "--silent", "--http2", "--cacert", str(deployed.proxy.authority)),
            *("--header", f"Authorization: {deployed.key['Authorization']}"),
            *("--output", "/dev/null", "--write-out", "%{http_version} %{http_code}"),
            f"{deployed.url}/todos",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout == "2 200"


def curl_with_http_2() -> str:
    curl = shutil.which("curl")
    if curl is None or b"HTTP2" not in subprocess.check_output([curl, "--version"]):  # noqa: S603 - found on this machine
        pytest.skip("needs a curl that speaks HTTP/2")
    return curl


def test_plain_http_gets_nothing_from_the_tls_port(deployed: Deployed) -> None:
    plain = replace(deployed.proxy.https, tls=None)
    refused = plain.call("GET", "/todos", deployed.key)
    assert refused.status == 400
    assert b"HTTPS" in refused.body


def test_plain_http_is_sent_to_https(deployed: Deployed) -> None:
    sent = deployed.proxy.http.call("GET", "/todos?limit=1", {"Host": "localhost"})
    assert (sent.status, sent.headers["location"]) == (308, "https://localhost/todos?limit=1")


def test_the_log_names_the_client_behind_the_proxy(deployed: Deployed) -> None:
    for source in ("127.0.0.1", "127.0.0.3"):
        answer = replace(deployed.proxy.https, source=source).call("GET", "/healthz")
        assert deployed.client_of(answer) == source


def test_a_client_cannot_spoof_itself_through_the_proxy(deployed: Deployed) -> None:
    far = replace(deployed.proxy.https, source="127.0.0.3")
    answer = far.call("GET", "/openapi.json", SPOOFED)
    assert answer.json()["servers"] == [{"url": deployed.url}]
    assert deployed.client_of(answer) == "127.0.0.3"
    moved = far.call("GET", "/weather/?unit=celsius", deployed.key | SPOOFED)
    assert (moved.status, moved.headers["location"]) == (307, "/weather?unit=celsius")
    assert deployed.proxy.record("/weather/")["remote_ip"] == "127.0.0.3"
    assert "203.0.113.9" not in deployed.service.err
    assert "203.0.113.9" not in deployed.proxy.log.read_text()


def test_a_client_that_is_not_the_proxy_is_not_believed(deployed: Deployed) -> None:
    past_the_proxy = replace(deployed.service.address, source="127.0.0.2")
    answer = past_the_proxy.call("GET", "/openapi.json", SPOOFED)
    assert answer.json()["servers"] == [{"url": deployed.url}]
    assert deployed.client_of(answer) == "127.0.0.2"
    # what it says is believed from the proxy's own address: that is what tells the two apart
    answer = deployed.service.address.call("GET", "/healthz", {"X-Forwarded-For": "198.51.100.7"})
    assert deployed.client_of(answer) == "198.51.100.7"


def test_another_host_changes_no_address(deployed: Deployed) -> None:
    for address in (deployed.service.address, replace(deployed.proxy.https, source="127.0.0.3")):
        for path in ("/openapi.json", "/.well-known/ai-plugin.json", "/todos/"):
            answer = address.call("GET", path, deployed.key | {"Host": "evil.example"})
            assert b"evil.example" not in answer.body
            assert "evil.example" not in answer.headers.get("location", "")


def test_a_wrong_key_is_challenged_through_the_proxy(deployed: Deployed) -> None:
    for headers in ({}, {"Authorization": "Bearer gpk_wrong"}, {"Authorization": "Basic YTpi"}):
        refused = deployed.proxy.https.call("GET", "/todos", headers)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith('Bearer realm="gpt-plugin"')
        assert refused.headers["content-type"] == "application/problem+json"


def test_a_body_over_the_limit_is_413_and_says_the_limit(deployed: Deployed) -> None:
    for body in (b"x" * (BODY_LIMIT + 1), iter([b"x" * BODY_LIMIT, b"x"])):
        refused = deployed.proxy.https.call("POST", "/todos", deployed.key | JSON, body)
        assert refused.status == 413
        problem = refused.json()
        assert (problem["status"], problem["code"]) == (413, "body_too_large")
        assert str(BODY_LIMIT) in problem["detail"]
        assert problem["request_id"] == refused.headers["x-request-id"]


@pytest.mark.parametrize("more", [{}, {"Idempotency-Key": "one"}])
@pytest.mark.parametrize("announced", [True, False])
def test_a_file_over_the_body_limit_passes(
    deployed: Deployed, more: dict[str, str], *, announced: bool
) -> None:
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % part
        for part in (
            (b"purpose", b"", b"user_data"),
            (b"file", b'; filename="a"', b"x" * 3 * BODY_LIMIT),
        )
    ]
    form = b"".join([*parts, b"--x--\r\n"])
    typed = {"Content-Type": "multipart/form-data; boundary=x"}
    body = form if announced else iter([form[:1_000], form[1_000:]])
    kept = deployed.proxy.https.call("POST", "/v1/files", deployed.key | typed | more, body)
    assert (kept.status, kept.json()["bytes"]) == (200, 3 * BODY_LIMIT)


def test_a_file_over_its_limit_is_413(deployed: Deployed) -> None:
    typed = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": "106000000"}
    refused = deployed.proxy.https.call("POST", "/v1/files", deployed.key | typed, b"--x")
    assert (refused.status, refused.json()["code"]) == (413, "body_too_large")


def test_a_body_of_exactly_the_limit_reaches_the_service(deployed: Deployed) -> None:
    body = b'{"text": "' + b"x" * (BODY_LIMIT - 12) + b'"}'
    assert len(body) == BODY_LIMIT
    refused = deployed.proxy.https.call("POST", "/todos", deployed.key | JSON, body)
    assert (refused.status, refused.json()["errors"][0]["argument"]) == (422, "text")


def test_pages_of_chatgpt_may_read_the_manifest(deployed: Deployed) -> None:
    for origin, allowed in (("https://chatgpt.com", True), ("https://evil.example", False)):
        answer = deployed.proxy.https.call("GET", "/.well-known/ai-plugin.json", {"Origin": origin})
        assert answer.status == 200
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        assert "cross-origin-resource-policy" not in answer.headers
    preflight = deployed.proxy.https.call(
        "OPTIONS",
        "/openapi.json",
        {"Origin": "https://chatgpt.com", "Access-Control-Request-Method": "GET"},
    )
    assert preflight.status == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]


def test_security_headers(deployed: Deployed) -> None:
    for path in ("/.well-known/ai-plugin.json", "/todos", "/docs", "/nothing"):
        headers = deployed.proxy.https.call("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
        assert "strict-transport-security" not in headers, "a trap on localhost"


def test_a_public_name_promises_to_stay_with_tls(deployed: Deployed) -> None:
    tls = ssl.create_default_context(cafile=deployed.proxy.authority)
    connection = http.client.HTTPConnection("plugin.localhost", deployed.proxy.https.port)
    plain = socket.create_connection(("127.0.0.1", deployed.proxy.https.port), PATIENCE)
    connection.sock = tls.wrap_socket(plain, server_hostname="plugin.localhost")
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b'{"status":"ok"}')
    assert response.getheader("Strict-Transport-Security") == "max-age=31536000"
    connection.close()


def test_the_proxy_logs_no_secret(deployed: Deployed) -> None:
    answer = deployed.proxy.https.call("GET", "/weather?secret=hunter2", deployed.key)
    assert answer.status == 422
    assert deployed.proxy.record("/weather").keys().isdisjoint({"headers", "body"})
    log = deployed.proxy.log.read_text()
    assert "hunter2" not in log + deployed.service.err
    assert deployed.key["Authorization"].removeprefix("Bearer ") not in log + deployed.service.err


class Streaming(ThreadingHTTPServer):
    """Sends one event, and the next when it is told to go on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Events)
        self.go_on = threading.Event()


class _Events(BaseHTTPRequestHandler):
    server: Streaming

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        self.server.go_on.wait(PATIENCE)
        self.wfile.write(b"data: 2\n\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def streaming() -> Iterator[Streaming]:
    with Streaming() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def test_events_pass_as_they_come_and_a_service_that_is_gone_is_said_in_the_form_of_its_errors(
    tmp_path: Path, streaming: Streaming
) -> None:
    with proxying(tmp_path, streaming.server_port) as proxy:
        connection = proxy.https.connect()
        connection.request("GET", "/events", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert response.read1(100) == b"data: 1\n\n"
        streaming.go_on.set()
        assert response.read() == b"data: 2\n\n"
        connection.close()
        streaming.shutdown()
        streaming.server_close()
        answer: Answer = proxy.https.call("GET", "/todos")
        health: Address = proxy.health
        assert health.call("GET", "/").status == 200
    assert (answer.status, answer.headers["content-type"]) == (502, "application/problem+json")
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (502, "service_unreachable")
    assert problem["request_id"] == answer.headers["x-request-id"]

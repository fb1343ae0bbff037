import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from plugin.errors import SourceUnavailable
from plugin.outbound.client import GuardedClient, Limits
from plugin.outbound.urls import AddressRefused

Serve = Callable[..., Awaitable[Any]]

HOSTILE = [
    "http://example.com/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://１２７.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1%25eth0]/",
    "https://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/",
    "https://10.0.0.1:8443/",
    "https://192.168.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://user:secret@example.com/",
    "https://user@example.com/",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:99999/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/\r\nHost: inside",
    "https://exam ple.com/",
    "https://",
    "https:///path",
    "//example.com/",
    "example.com",
    "",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "data:text/plain,hello",
    "https://[::1/",
]


class Names(AbstractResolver):
    """A name server of our own: each question takes the next answer, the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else family or socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return ok(b"", f"Location: {location}", status=status)


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_address_is_refused_before_anything_is_opened(url: str) -> None:
    names = Names(["127.0.0.1"])
    async with GuardedClient(resolver=names) as client:
        with pytest.raises(AddressRefused) as refused:
            await client.fetch(url)
    assert names.asked == []
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "fe80::1"],
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    async with GuardedClient(resolver=Names([address])) as client:
        with pytest.raises(AddressRefused, match=r"plugin\.example leads to"):
            await client.fetch("https://plugin.example/openapi.json?key=secret")


async def test_a_name_with_several_inner_addresses_is_refused() -> None:
    async with GuardedClient(resolver=Names(["10.0.0.1", "10.0.0.2", "::1"])) as client:
        with pytest.raises(AddressRefused):
            await client.fetch("https://plugin.example/")


@pytest.mark.filterwarnings("ignore:A test tried to use socket")  # the first, public address
async def test_what_is_connected_to_is_what_was_checked(serve: Serve) -> None:
    """A name that is public at first and inner later gains nothing: each socket is checked."""
    server = await serve(ok(b"inside"))
    port = int(server.url.rpartition(":")[2])
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    async with GuardedClient(resolver=names, limits=Limits(total=2, connect=1)) as client:
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                await client.fetch(f"https://rebinding.example:{port}/")
    assert server.requests == []


async def test_loopback_is_reached_only_where_it_is_allowed(serve: Serve) -> None:
    server = await serve(ok(b"here"))
    async with GuardedClient(allow_loopback=True) as client:
        assert (await client.fetch(server.url)).body == b"here"
        assert (await client.fetch(server.url.replace("127.0.0.1", "localhost"))).body == b"here"
    async with GuardedClient() as client:
        with pytest.raises(AddressRefused):
            await client.fetch(server.url)


async def test_allowing_loopback_opens_nothing_else() -> None:
    async with GuardedClient(allow_loopback=True, resolver=Names(["10.0.0.1"])) as client:
        for url in ("http://10.0.0.1/", "http://example.com/", "https://inner.example/"):
            with pytest.raises(AddressRefused):
                await client.fetch(url)
        with pytest.raises(AddressRefused):  # a name under .localhost that somebody's DNS sends on
            await client.fetch("http://api.localhost:8000/")


async def test_a_trusted_origin_is_one_scheme_host_and_port(serve: Serve) -> None:
    named, other = await serve(ok(b"1")), await serve(ok(b"2"))
    async with GuardedClient(trusted=[f"{named.url}/v1/search"]) as client:
        assert (await client.fetch(f"{named.url}/other?x=1")).body == b"1"
        with pytest.raises(AddressRefused):
            await client.fetch(other.url)


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "http://[::1]:9/",
        "//127.0.0.1:9/",
        "file:///etc/passwd",
        "https://user:secret@example.com/",
        "https://[::1",
    ],
)
async def test_a_redirect_cannot_lead_where_the_first_address_could_not(
    serve: Serve, target: str
) -> None:
    server = await serve(redirect(target))
    async with GuardedClient(allow_loopback=True, trusted=[server.url]) as client:
        with pytest.raises(AddressRefused) as refused:
            await client.fetch(server.url)
    assert "secret" not in refused.value.detail


async def test_a_redirect_cannot_borrow_our_trust_in_another_origin(serve: Serve) -> None:
    inner = await serve(ok(b"inside"))
    outer = await serve(redirect(inner.url))
    async with GuardedClient(trusted=[outer.url, inner.url]) as client:
        with pytest.raises(AddressRefused):
            await client.fetch(outer.url)
    assert inner.requests == []


async def test_a_redirect_within_an_origin_is_followed(serve: Serve) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        first = len(server.requests) == 1
        writer.write(redirect("/moved") if first else ok(b"found"))
        await writer.drain()

    server = await serve(answer)
    async with GuardedClient(allow_loopback=True) as client:
        fetched = await client.request("GET", server.url, headers={"X-Kept": "1"})
    assert fetched.body == b"found"
    assert fetched.url == f"{server.url}/moved"
    assert "X-Kept: 1" in server.requests[1]


async def test_credentials_do_not_follow_a_redirect_to_another_origin(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(redirect("https://public.example/"))
    client = GuardedClient(allow_loopback=True)
    send, seen = client._send, []

    async def spy(lane: Any, method: str, url: Any, headers: dict[str, str], body: Any) -> Any:
        seen.append((url.host, dict(headers)))
        return await send(lane, method, url, headers, body) if len(seen) == 1 else None

    monkeypatch.setattr(client, "_send", spy)
    async with client:
        with pytest.raises(AttributeError):  # the second answer is not there: nothing was sent
            await client.request("GET", server.url, headers={"Authorization": "Bearer k"})
    assert seen == [("127.0.0.1", {"Authorization": "Bearer k"}), ("public.example", {})]


async def test_endless_redirects_end(serve: Serve) -> None:
    server = await serve(redirect("/again"))
    async with GuardedClient(allow_loopback=True, limits=Limits(redirects=3)) as client:
        with pytest.raises(SourceUnavailable, match="more than 3 times"):
            await client.fetch(server.url)
    assert len(server.requests) == 4


async def test_a_redirect_of_a_post_is_an_answer(serve: Serve) -> None:
    server = await serve(redirect("/elsewhere", "307 Temporary Redirect"))
    async with GuardedClient(allow_loopback=True) as client:
        fetched = await client.request("POST", server.url, body=b"{}")
    assert fetched.status == 307
    assert len(server.requests) == 1


async def test_a_large_answer_is_cut_off(serve: Serve) -> None:
    server = await serve(ok(b"x" * 200_000))
    async with GuardedClient(allow_loopback=True, limits=Limits(body=100_000)) as client:
        with pytest.raises(SourceUnavailable, match="more than 100000 bytes"):
            await client.fetch(server.url)


async def test_a_compressed_bomb_is_cut_off_as_it_unfolds(serve: Serve) -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    assert len(bomb) < 100_000
    server = await serve(ok(bomb, "Content-Encoding: gzip"))
    async with GuardedClient(allow_loopback=True, limits=Limits(body=100_000)) as client:
        with pytest.raises(SourceUnavailable, match="more than 100000 bytes"):
            await client.fetch(server.url)


async def test_a_slow_answer_ends_in_time(serve: Serve) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    server = await serve(trickle)
    async with GuardedClient(allow_loopback=True, limits=Limits(total=0.2)) as client:
        with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.2 s"):
            await client.fetch(server.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        ok(b"not gzip", "Content-Encoding: gzip"),
    ],
)
async def test_a_broken_answer_is_an_unavailable_source(serve: Serve, answer: bytes) -> None:
    server = await serve(answer)
    async with GuardedClient(allow_loopback=True) as client:
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1 cannot be reached") as error:
            await client.fetch(f"{server.url}/path?key=secret")
    assert "secret" not in error.value.detail


async def test_nobody_listening_is_an_unavailable_source() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with GuardedClient(allow_loopback=True) as client:
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await client.fetch(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ok(b"<html>"), "did not answer with JSON"),
        (ok(b"[" * 100_000), "did not answer with JSON"),
        (ok(b"{}", status="500 Oops"), "status 500"),
        (ok(b'{"error":true,"reason":"no"}', status="400 Bad Request"), "status 400"),
    ],
)
async def test_get_json_says_why_there_is_none(serve: Serve, answer: bytes, why: str) -> None:
    server = await serve(answer)
    async with GuardedClient(allow_loopback=True) as client:
        with pytest.raises(SourceUnavailable, match=why):
            await client.get_json(server.url)


async def test_get_json_sends_the_query_and_reads_the_value(serve: Serve) -> None:
    server = await serve(ok('{"name":"上海"}'.encode()))
    async with GuardedClient(allow_loopback=True) as client:
        value = await client.get_json(f"{server.url}/v1?fixed=1", {"name": "上海 & more"})
    assert value == {"name": "上海"}
    asked = server.requests[0].split(" ")[1]
    assert asked == "/v1?fixed=1&name=%E4%B8%8A%E6%B5%B7+%26+more"


async def test_proxies_of_the_environment_and_cookies_are_ignored(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await serve(ok(b"proxied"))
    server = await serve(ok(b"direct", "Set-Cookie: session=1; Path=/"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    async with GuardedClient(allow_loopback=True) as client:
        assert (await client.fetch(server.url)).body == b"direct"
        assert (await client.fetch(server.url)).body == b"direct"
    assert proxy.requests == []
    assert not any("cookie" in request.lower() for request in server.requests)


async def test_header_names_are_in_lower_case_and_any_status_is_an_answer(serve: Serve) -> None:
    server = await serve(ok(b"gone", "X-Mark: 1", status="410 Gone"))
    async with GuardedClient(allow_loopback=True) as client:
        fetched = await client.fetch(server.url)
    assert (fetched.status, fetched.headers["x-mark"], fetched.body) == (410, "1", b"gone")

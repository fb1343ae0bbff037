"""The same over TLS."""

import ssl
import subprocess
from pathlib import Path

import pytest

from plugin.errors import SourceUnavailable
from tests.outbound.pool.far import OK, asked, client_of, far, hangs, says, settled


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(directory / "key"), "-out", str(directory / "cert")]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
    return directory


@pytest.fixture
def secure(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    context.set_alpn_protocols(["http/1.1"])
    return context


async def test_tls(
    secure: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    async with far([OK, big, OK], tls=secure) as there, client_of(there) as client:
        assert await asked(client, there, body=bytes(2_000_000)) == b"ok"
        assert await asked(client, there) == bytes(3_000_000)
        assert await asked(client, there) == b"ok"
    assert there.connections == 1


async def test_what_has_not_been_sent_by_the_time_of_an_answer_is_in_nobodys_way(
    secure: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS has taken in all of the request long before the wire has."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    play = says(refusal, then=hangs)
    async with far([play], tls=secure) as there, client_of(there, idle=2) as client:
        there.reads_bodies = False
        for _ in range(2):
            assert await asked(client, there, body=bytes(30_000_000)) == b"no"
    assert there.connections == 2


async def test_a_certificate_that_nobody_vouches_for(secure: ssl.SSLContext) -> None:
    async with far([OK], tls=secure) as there, client_of(there) as client:
        with pytest.raises(SourceUnavailable, match="localhost cannot be reached") as caught:
            await asked(client, there)
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert there.heads == []


async def test_a_certificate_of_another_name(
    secure: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
    async with far([OK], tls=secure) as there:
        there.url = there.url.replace("localhost", "127.0.0.1")
        async with client_of(there) as client:
            with pytest.raises(SourceUnavailable, match="cannot be reached"):
                await asked(client, there)
    assert there.heads == []


async def test_no_tls_where_some_is_asked_for() -> None:
    async with far([hangs]) as there:
        there.url = there.url.replace("http:", "https:")
        async with client_of(there, connect=0.5) as client:
            with pytest.raises(SourceUnavailable, match="cannot be reached"):
                await asked(client, there)
            await settled()
            assert there.ended == 1, "nothing stays open that is of no use"

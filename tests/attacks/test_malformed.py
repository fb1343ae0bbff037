"""Malformed requests over a plain socket: each has the right status, and ends its connection."""

import json
from typing import Any

import pytest

from tests.attacks.raw_http import Raw, RawAnswer
from tests.journeys.running import Running

HOST = b"Host: a.example\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST


def get(fields: bytes, path: bytes = b"/healthz") -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path, fields)


def host(value: bytes) -> bytes:
    return get(b"Host: %b\r\n" % value)


def with_field(field: bytes) -> bytes:
    return get(HOST + field)


def posted(field: bytes, body: bytes = b"") -> bytes:
    return POST + field + b"\r\n" + body


def version(text: bytes) -> bytes:
    return b"GET /healthz %b\r\n%b\r\n" % (text, HOST)


def target(text: bytes) -> bytes:
    return get(HOST, text)


MALFORMED: dict[str, tuple[bytes, int]] = {
    "no host": (get(b""), 400),
    "two hosts": (get(HOST + HOST), 400),
    "two hosts in 1.0": (b"GET /healthz HTTP/1.0\r\n" + HOST + HOST + b"\r\n", 400),
    "host with a path": (host(b"a.example/b"), 400),
    "host with a user": (host(b"me@a.example"), 400),
    "host with a space": (host(b"a example"), 400),
    "host with a quote": (host(b'"a"'), 400),
    "host of other letters": (host("ä.example".encode()), 400),
    "101 fields": (get(HOST + b"a: b\r\n" * 100), 431),
    "65 KiB of fields": (get(HOST + b"a: " + b"b" * 66_000 + b"\r\n"), 431),
    "65 KiB in many fields": (get(HOST + (b"a: " + b"b" * 800 + b"\r\n") * 90), 431),
    "a field that never ends": (b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 400_000, 431),
    "a name that never ends": (b"GET / HTTP/1.1\r\n" + HOST + b"b" * 400_000, 431),
    "spaces that never end": (b"GET / HTTP/1.1\r\n" + HOST + b"a:" + b" " * 400_000, 431),
    "17 KiB of URL": (target(b"/" + b"a" * 17_000), 414),
    "17 KiB of query": (target(b"/healthz?" + b"a" * 17_000), 414),
    "a URL that never ends": (b"GET /v1/" + b"a" * 400_000, 414),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 505),
    "HTTP/1.2": (version(b"HTTP/1.2"), 505),
    "HTTP/2.0": (version(b"HTTP/2.0"), 505),
    "HTTP/3.0": (version(b"HTTP/3.0"), 505),
    "a preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a version with a letter": (version(b"HTTP/1.x"), 400),
    "another protocol": (version(b"FTP/1.1"), 400),
    "a version in lower case": (version(b"http/1.1"), 400),
    "a method nobody knows": (b"FROBNICATE / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method in lower case": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method that never ends": (b"A" * 100_000, 400),
    "no method": (b" / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a handshake of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a NUL first": (b"\0" * 10, 400),
    "CONNECT": (b"CONNECT a.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "a target without a slash": (target(b"healthz"), 400),
    "an asterisk for GET": (target(b"*"), 400),
    "a NUL in the target": (target(b"/a\0b"), 400),
    "a letter beyond ASCII": (target("/ä".encode()), 400),
    "a port beyond 65535": (target(b"http://a.example:99999/"), 400),
    "a space in the target": (target(b"/a b"), 400),
    "another scheme's target": (target(b"://a"), 400),
    "a folded field": (with_field(b"a: b\r\n c\r\n"), 400),
    "a space before the colon": (with_field(b"a : b\r\n"), 400),
    "a field without a name": (with_field(b": b\r\n"), 400),
    "a field without a colon": (with_field(b"ab\r\n"), 400),
    "a NUL in a value": (with_field(b"a: b\0c\r\n"), 400),
    "a NUL in a name": (with_field(b"a\0: b\r\n"), 400),
    "a bare CR in a value": (with_field(b"a: b\rc\r\n"), 400),
    "a bare LF after a value": (with_field(b"a: b\nc: d\r\n"), 400),
    "bare LFs": (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
    "a space before the first field": (get(b" " + HOST), 400),
    "two lengths": (posted(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"{}"), 400),
    "the same length twice": (posted(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}"), 400),
    "a list of lengths": (posted(b"Content-Length: 2, 2\r\n", b"{}"), 400),
    "a negative length": (posted(b"Content-Length: -1\r\n"), 400),
    "a length with a sign": (posted(b"Content-Length: +2\r\n", b"{}"), 400),
    "a length in hexadecimal": (posted(b"Content-Length: 0x2\r\n", b"{}"), 400),
    "a length beyond 64 bits": (posted(b"Content-Length: 99999999999999999999\r\n"), 400),
    "a length and chunks": (
        posted(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        400,
    ),
    "chunks and a length": (
        posted(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
        400,
    ),
    "another coding": (posted(b"Transfer-Encoding: gzip\r\n"), 501),
    "another coding below chunks": (posted(b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "chunked twice": (posted(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400),
    "chunks in 1.0": (
        b"POST /v1/edits HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
}
"""What is refused before there is a request for an operation."""

BODIES: dict[str, tuple[bytes, int]] = {
    "a size that is no number": (b"zz\r\n", 400),
    "a negative size": (b"-1\r\n", 400),
    "a size with 0x": (b"0x2\r\n{}\r\n", 400),
    "a size beyond 64 bits": (b"fffffffffffffffff\r\n", 400),
    "a chunk longer than its size": (b"2\r\n{}{}\r\n", 400),
    "a bare LF after a size": (b"2\n{}\r\n", 400),
    "101 trailer fields": (b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
    "65 KiB of trailer fields": (b"2\r\n{}\r\n0\r\na: " + b"b" * 66_000 + b"\r\n\r\n", 431),
    "a trailer that never ends": (b"2\r\n{}\r\n0\r\na: " + b"b" * 400_000, 431),
    "an extension that never ends": (b"2;" + b"a" * 400_000, 431),
    "a folded trailer": (b"0\r\na: b\r\n c\r\n\r\n", 400),
}
"""Chunked bodies; the head before them is right, and has a key."""


def refused(service: Running, *pieces: bytes) -> RawAnswer:
    """The one answer, after which the connection ends."""
    with Raw(service.address.port) as raw:
        raw.send(*pieces)
        answer = raw.answer()
        assert raw.ended()
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"].startswith("req_")
    return answer


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_head_has_its_status(service: Running, name: str) -> None:
    sent, status = MALFORMED[name]
    assert refused(service, sent).status == status


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_body_has_its_status(service: Running, key: dict[str, Any], name: str) -> None:
    sent, status = BODIES[name]
    head = b"POST /todos HTTP/1.1\r\nAuthorization: Bearer %b\r\n" % key["key"].encode()
    fields = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refused(service, head + HOST + fields, sent).status == status


def test_a_refusal_has_the_form_of_its_path(service: Running) -> None:
    below_v1 = refused(service, get(b"", b"/v1/models"))
    assert json.loads(below_v1.body)["error"]["code"] == "bad_request"
    elsewhere = refused(service, get(b"", b"/todos"))
    assert elsewhere.headers["content-type"] == "application/problem+json"
    told = json.loads(elsewhere.body)
    assert told["detail"] == "An HTTP/1.1 request needs a Host header; send one."
    record = service.record(told["request_id"])
    assert (record["status"], record["code"], record["path"]) == (400, "bad_request", None)


def test_a_refusal_waits_for_the_answers_before_it(service: Running) -> None:
    with Raw(service.address.port) as raw:
        raw.send(get(HOST) + get(HOST, b"/docs") + b"\0\0")
        assert [raw.answer().status for _ in range(3)] == [200, 200, 400]
        assert raw.ended()


def test_what_is_allowed_is_answered(service: Running) -> None:
    allowed = [
        b"GET /healthz HTTP/1.0\r\n\r\n",
        get(HOST + b"a: b\r\n" * 99),
        get(HOST + (b"a: " + b"b" * 700 + b"\r\n") * 90),
        get(HOST, b"/healthz?" + b"a" * 16_000),
        get(HOST, b"http://a.example/healthz"),
        get(b"Host: [::1]:8000\r\n"),
        get(b"Host:\r\n"),
        b"\r\n\r\n" + get(HOST + b"Connection: close\r\n"),
    ]
    for sent in allowed:
        with Raw(service.address.port) as raw:
            raw.send(sent)
            assert raw.answer().status == 200, sent[:80]


def test_many_requests_in_one_packet_are_all_answered(service: Running) -> None:
    with Raw(service.address.port) as raw:
        fields = HOST + b"a: " + b"b" * 800 + b"\r\n"
        raw.send(get(fields) * 100 + b"GET /healthz HT", b"TP/1.1\r\n" + HOST + b"\r\n")
        assert [raw.answer().status for _ in range(101)] == [200] * 101

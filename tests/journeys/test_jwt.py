"""A running service that trusts issuers of tokens, beside its own keys."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.auth.tokens import AUDIENCE, Author, private_pem, rsa_key
from tests.issuer import Provider, provider
from tests.journeys.running import Address, Answer, bearer, new_key, plugin, running

JSON = {"Content-Type": "application/json"}
INTERNAL = Author("internal", "HS256")
ONE_LINE = re.compile(r"error: [^\n]+\n")


def trusting(*issuers: dict[str, Any]) -> dict[str, str]:
    return {"PLUGIN_JWT_ISSUERS": json.dumps(issuers)}


def fixed(author: Author, **changed: Any) -> dict[str, Any]:
    names = {"issuer": author.issuer, "algorithm": author.algorithm, "key": author.key}
    return {"audience": AUDIENCE, **names, **changed}


def todos(address: Address, token: str, add: str | None = None) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    if add is None:
        return address.call("GET", "/todos", headers)
    return address.call("POST", "/todos", headers | JSON, json.dumps({"text": add}))


def signed(author: Author, **claims: Any) -> str:
    return author.sign(claims=author.claims(**claims)).decode()


@pytest.fixture
def rs256() -> Iterator[Provider]:
    with provider("RS256") as started:
        yield started


def assert_refused(answer: Answer, rule: str) -> None:
    assert answer.status == 401
    assert f"`{rule}`" in answer.json()["detail"]
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="gpt-plugin", error="invalid_token", ')
    assert f"rule {rule}:" in challenge


def test_a_token_and_a_key_work_side_by_side(tmp_path: Path) -> None:
    with running(tmp_path, "serve", settings=trusting(fixed(INTERNAL))) as started:
        ann = signed(INTERNAL, sub="ann", scope="openid todos:read todos:write")
        bob = signed(INTERNAL, sub="bob", scp=["todos:read"], scope="todos:read")
        key = bearer(new_key(tmp_path))
        assert todos(started.address, ann, add="Buy milk").status == 201
        later = signed(INTERNAL, sub="ann", scope="todos:read")
        assert [one["text"] for one in todos(started.address, later).json()["todos"]] == [
            "Buy milk"
        ]
        for other in (todos(started.address, bob), started.address.call("GET", "/todos", key)):
            assert (other.status, other.json()["total"]) == (200, 0)
        refused = todos(started.address, bob, add="Sell milk")
        assert refused.status == 403
        assert (
            'error="insufficient_scope", scope="todos:write"'
            in (refused.headers["www-authenticate"])
        )
        assert ann not in started.err


def test_a_refusal_names_its_rule(tmp_path: Path) -> None:
    refused: tuple[tuple[str, dict[str, Any]], ...] = (
        ("audience", {"aud": "another"}),
        ("issuer", {"iss": "https://evil.example"}),
        ("expired", {"exp": 1}),
        ("not_yet", {"nbf": 4_000_000_000}),
        ("subject", {"sub": ""}),
    )
    with running(tmp_path, "serve", settings=trusting(fixed(INTERNAL))) as started:
        for rule, claims in refused:
            assert_refused(todos(started.address, signed(INTERNAL, **claims)), rule)
        assert todos(started.address, signed(INTERNAL)).status == 200


def test_published_keys_rotate_under_a_running_service(tmp_path: Path, rs256: Provider) -> None:
    with running(tmp_path, "serve", settings=trusting(rs256.settings())) as started:
        old, new = rs256.token(0), rs256.token(1)
        for _ in range(3):
            assert todos(started.address, old).status == 200
        assert rs256.asked == 1
        rs256.published = [1]
        # the first token of a new key waits until that key is there
        assert todos(started.address, new).status == 200
        assert rs256.asked == 2
        # and with the old key goes what was remembered of its tokens
        assert_refused(todos(started.address, old), "key")


def test_invented_keys_do_not_ask_the_issuer_each_time(tmp_path: Path, rs256: Provider) -> None:
    with running(tmp_path, "serve", settings=trusting(rs256.settings())) as started:
        good = rs256.token()
        assert todos(started.address, good).status == 200
        for number in range(100):
            assert_refused(todos(started.address, rs256.token(1, f"invented-{number}")), "key")
        assert rs256.asked == 2
        assert todos(started.address, good).status == 200


def test_an_outage_of_the_issuer_stops_nobody_it_has_let_in(
    tmp_path: Path, rs256: Provider
) -> None:
    with running(tmp_path, "serve", settings=trusting(rs256.settings())) as started:
        assert todos(started.address, rs256.token()).status == 200
        rs256.broken = True
        assert_refused(todos(started.address, rs256.token(1)), "key")
        assert todos(started.address, rs256.token(sub="bob")).status == 200
        assert "Traceback" not in started.err


def test_an_issuer_that_hangs_delays_those_alone_who_need_it(
    tmp_path: Path, rs256: Provider
) -> None:
    rs256.answering.clear()
    issuers = trusting(rs256.settings(), fixed(INTERNAL))
    with running(tmp_path, "serve", settings=issuers) as started:
        key, begun = bearer(new_key(tmp_path)), time.monotonic()
        assert started.address.call("GET", "/todos", key).status == 200
        assert todos(started.address, signed(INTERNAL)).status == 200
        assert time.monotonic() - begun < 2
        assert_refused(todos(started.address, rs256.token()), "key")
        assert time.monotonic() - begun < 8
        rs256.answering.set()
        assert todos(started.address, rs256.token()).status == 200


def test_two_issuers_keep_their_keys_apart(tmp_path: Path, rs256: Provider) -> None:
    with provider("ES256") as es256:
        es256.issuer = "https://other.example.com"
        issuers = trusting(rs256.settings(), es256.settings())
        with running(tmp_path, "serve", settings=issuers) as started:
            for one in (rs256, es256):
                assert todos(started.address, one.token()).status == 200
            swapped = es256.token(iss=rs256.issuer)
            assert_refused(todos(started.address, swapped), "algorithm")
            es256.algorithm = "RS256"
            es256.published = [1]
            forged = Author(rs256.issuer, "RS256", 1)
            token = forged.sign(forged.header(kid="key-0")).decode()
            assert_refused(todos(started.address, token), "signature")


def test_keys_are_not_fetched_from_where_an_answer_points(tmp_path: Path, rs256: Provider) -> None:
    with provider("RS256") as elsewhere:
        rs256.moved_to = elsewhere.url
        with running(tmp_path, "serve", settings=trusting(rs256.settings())) as started:
            assert_refused(todos(started.address, elsewhere.token()), "key")
        assert elsewhere.asked == 0
        assert rs256.asked


def test_the_documents_do_not_depend_on_who_is_trusted(tmp_path: Path) -> None:
    with running(tmp_path, "serve", settings=trusting(fixed(INTERNAL))) as started:
        document = started.address.call("GET", "/openapi.json").json()
    [scheme] = document["components"]["securitySchemes"].values()
    # any bearer credential will do, so no format of one is named
    assert (scheme["type"], scheme["scheme"], "bearerFormat" in scheme) == ("http", "bearer", False)


@pytest.mark.parametrize(
    ("issuer", "reason"),
    [
        (fixed(INTERNAL, key="k" * 31), "has 31 bytes"),
        (fixed(INTERNAL, key=Author("a", "RS256").key), "public key"),
        (fixed(INTERNAL, algorithm="RS256"), "PEM"),
        (fixed(INTERNAL, algorithm="RS256", key=private_pem(rsa_key())), "private"),
        (fixed(Author("a", "ES256"), algorithm="ES384"), "P-384"),
        (fixed(INTERNAL, algorithm="none"), "algorithm"),
        (fixed(INTERNAL, jwks_url="https://id.example.com/jwks"), "either key or jwks_url"),
    ],
)
def test_a_key_that_is_none_stops_the_start_in_one_line(
    tmp_path: Path, issuer: dict[str, Any], reason: str
) -> None:
    # with two workers the first to fail would be a child, whose error nobody reads
    settings = trusting(issuer) | {"PLUGIN_PORT": "0", "PLUGIN_WORKERS": "2"}
    refused = plugin(tmp_path, "serve", settings=settings)
    assert refused.returncode == 2
    assert ONE_LINE.fullmatch(refused.stderr), refused.stderr
    assert refused.stderr.startswith("error: PLUGIN_JWT_ISSUERS: ")
    assert reason in refused.stderr
    assert str(issuer["key"])[:20] not in refused.stderr

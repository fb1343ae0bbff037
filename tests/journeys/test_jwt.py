"""A running service that trusts issuers of tokens, beside its own keys."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plugin.auth.jwks import Pace
from plugin.errors import CannotRun
from plugin.services import fixed_keys
from plugin.settings import load
from tests.auth.tokens import AUDIENCE, Author, private_pem, rsa_key
from tests.issuer import Provider, provider
from tests.journeys.running import (
    Address,
    Answer,
    Running,
    bearer,
    new_key,
    plugin,
    running,
    until,
)
from tests.sizes import sized

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


@dataclass(frozen=True)
class Trusting:
    """A service that trusts a fixed key and each of the providers, which stand by their names."""

    directory: Path
    running: Running
    providers: dict[str, Provider]

    @property
    def address(self) -> Address:
        return self.running.address


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusting]:
    """Each provider has an issuer of its own, so that each test has one of its own."""
    directory = tmp_path_factory.mktemp("trusting")
    names = ("rotating", "invented", "failing", "hanging", "rs256", "es256", "moved", "elsewhere")
    with contextlib.ExitStack() as stack:
        providers: dict[str, Provider] = {}
        for name in names:
            made = provider("ES256" if name == "es256" else "RS256")
            providers[name] = stack.enter_context(made)
            providers[name].issuer = f"https://{name}.example.com"
        providers["hanging"].answering.clear()
        providers["moved"].moved_to = providers["elsewhere"].url
        trusted = [one.settings() for name, one in providers.items() if name != "elsewhere"]
        settings = trusting(fixed(INTERNAL), *trusted)
        started = stack.enter_context(running(directory, "serve", settings=settings))
        yield Trusting(directory, started, providers)


def assert_refused(answer: Answer, rule: str) -> None:
    assert answer.status == 401
    assert f"`{rule}`" in answer.json()["detail"]
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="gpt-plugin", error="invalid_token", ')
    assert f"rule {rule}:" in challenge


def test_an_issuer_that_hangs_delays_those_alone_that_need_it(service: Trusting) -> None:
    hanging = service.providers["hanging"]
    key, begun = bearer(new_key(service.directory)), time.monotonic()
    assert service.address.call("GET", "/todos", key).status == 200
    assert todos(service.address, signed(INTERNAL)).status == 200
    assert time.monotonic() - begun < sized(10, 2)
    assert_refused(todos(service.address, hanging.token()), "key")
    assert time.monotonic() - begun < sized(20, 8)
    hanging.answering.set()
    until(lambda: todos(service.address, hanging.token()).status == 200)


def test_a_token_and_a_key_work_side_by_side(service: Trusting) -> None:
    ann = signed(INTERNAL, sub="ann", scope="openid todos:read todos:write")
    bob = signed(INTERNAL, sub="bob", scp=["todos:read"], scope="todos:read")
    key = bearer(new_key(service.directory))
    assert todos(service.address, ann, add="Buy milk").status == 201
    later = signed(INTERNAL, sub="ann", scope="todos:read")
    assert [one["text"] for one in todos(service.address, later).json()["todos"]] == ["Buy milk"]
    for other in (todos(service.address, bob), service.address.call("GET", "/todos", key)):
        assert (other.status, other.json()["total"]) == (200, 0)
    refused = todos(service.address, bob, add="Sell milk")
    assert refused.status == 403
    assert 'error="insufficient_scope", scope="todos:write"' in refused.headers["www-authenticate"]
    assert ann not in service.running.err


def test_a_refusal_names_its_rule(service: Trusting) -> None:
    refused: tuple[tuple[str, dict[str, Any]], ...] = (
        ("audience", {"aud": "another"}),
        ("issuer", {"iss": "https://evil.example"}),
        ("expired", {"exp": 1}),
        ("not_yet", {"nbf": 4_000_000_000}),
        ("subject", {"sub": ""}),
    )
    for rule, claims in refused:
        assert_refused(todos(service.address, signed(INTERNAL, **claims)), rule)
    assert todos(service.address, signed(INTERNAL)).status == 200


def test_published_keys_rotate_under_a_running_service(service: Trusting) -> None:
    rotating = service.providers["rotating"]
    old, new = rotating.token(0), rotating.token(1)
    for _ in range(3):
        assert todos(service.address, old).status == 200
    assert rotating.asked == 1
    rotating.published = [1]
    # the first token of a new key waits until that key is there
    assert todos(service.address, new).status == 200
    assert rotating.asked == 2
    # and with the old key goes what was remembered of its tokens
    assert_refused(todos(service.address, old), "key")


def test_invented_keys_do_not_ask_the_issuer_each_time(service: Trusting) -> None:
    invented = service.providers["invented"]
    good, begun = invented.token(), time.monotonic()
    assert todos(service.address, good).status == 200
    for number in range(100):
        assert_refused(todos(service.address, invented.token(1, f"invented-{number}")), "key")
    # one fetch at the start, and one each time that an unknown key may cause one
    took = time.monotonic() - begun
    assert 2 <= invented.asked <= 2 + took // Pace().cooldown
    assert todos(service.address, good).status == 200


def test_an_outage_of_the_issuer_stops_no_caller_of_a_known_key(service: Trusting) -> None:
    failing = service.providers["failing"]
    assert todos(service.address, failing.token()).status == 200
    failing.broken = True
    assert_refused(todos(service.address, failing.token(1)), "key")
    assert todos(service.address, failing.token(sub="bob")).status == 200
    assert "Traceback" not in service.running.err


def test_two_issuers_keep_their_keys_apart(service: Trusting) -> None:
    rs256, es256 = service.providers["rs256"], service.providers["es256"]
    for one in (rs256, es256):
        assert todos(service.address, one.token()).status == 200
    swapped = es256.token(iss=rs256.issuer)
    assert_refused(todos(service.address, swapped), "algorithm")
    forged = Author(rs256.issuer, "RS256", 1)
    token = forged.sign(forged.header(kid="key-0")).decode()
    assert_refused(todos(service.address, token), "signature")


def test_keys_are_not_fetched_from_where_an_answer_points(service: Trusting) -> None:
    moved, elsewhere = service.providers["moved"], service.providers["elsewhere"]
    forged = elsewhere.token(iss=moved.issuer)
    assert_refused(todos(service.address, forged), "key")
    assert elsewhere.asked == 0
    assert moved.asked


def test_the_documents_do_not_depend_on_what_is_trusted(service: Trusting) -> None:
    document = service.address.call("GET", "/openapi.json").json()
    [scheme] = document["components"]["securitySchemes"].values()
    # any bearer credential will do, so no format of one is named
    assert (scheme["type"], scheme["scheme"], "bearerFormat" in scheme) == ("http", "bearer", False)


NO_KEYS: list[tuple[dict[str, Any], str]] = [
    (fixed(INTERNAL, key="k" * 31), "has 31 bytes"),
    (fixed(INTERNAL, key=Author("a", "RS256").key), "public key"),
    (fixed(INTERNAL, algorithm="RS256"), "PEM"),
    (fixed(INTERNAL, algorithm="RS256", key=private_pem(rsa_key())), "private"),
    (fixed(Author("a", "ES256"), algorithm="ES384"), "P-384"),
    (fixed(INTERNAL, algorithm="none"), "algorithm"),
    (fixed(INTERNAL, jwks_url="https://id.example.com/jwks"), "either key or jwks_url"),
]


def assert_says(said: str, key: str, reason: str) -> None:
    assert ONE_LINE.fullmatch(said), said
    assert said.startswith("error: PLUGIN_JWT_ISSUERS: ")
    assert reason in said
    assert key[:20] not in said


@pytest.mark.parametrize(("issuer", "reason"), NO_KEYS)
def test_an_unfit_key_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, issuer: dict[str, Any], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in trusting(issuer).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotRun) as refused:
        fixed_keys(load())
    assert_says(f"error: {refused.value.detail}\n", str(issuer["key"]), reason)


@pytest.mark.parametrize(("issuer", "reason"), sized(NO_KEYS[:1], NO_KEYS))
def test_an_unfit_key_stops_the_start_in_one_line(
    tmp_path: Path, issuer: dict[str, Any], reason: str
) -> None:
    # with two workers the first to fail could be a child, and its error would not be shown
    settings = trusting(issuer) | {"PLUGIN_PORT": "0", "PLUGIN_WORKERS": "2"}
    refused = plugin(tmp_path, "serve", settings=settings)
    assert refused.returncode == 2
    assert_says(refused.stderr, str(issuer["key"]), reason)

"""Callers by token; what python-jose 3.5 lets through beside what we refuse; verdicts that end."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jose import jwt as jose_jwt

from plugin.auth import jwt as jwt_module
from plugin.auth.jwt import FixedKey, Issuer, JwtAuth
from plugin.auth.refusal import Refused, Undecided
from plugin.auth.signatures import SigningKey, read_key
from tests.auth.conftest import Clock
from tests.auth.tokens import AUDIENCE, Author, dump, encode, private_key, signature

ANN = Author("https://id.example.com", "HS256")
EVE = Author("https://evil.example", "HS256", 1)
BOB = Author("https://other.example.com", "ES256")
SCOPES = ["todos:read", "todos:write"]


class Held:
    """Keys that a test changes."""

    def __init__(self, **keys: SigningKey) -> None:
        self.keys = keys
        self.asked = 0

    def find(self, key_id: str | None) -> SigningKey | None:
        return self.keys.get(key_id or "")

    def ask(self) -> Callable[[], Any] | None:
        self.asked += 1
        return None if self.asked > 1 else _never


async def _never() -> None:
    return None


def key(author: Author) -> SigningKey:
    return read_key(author.key, author.algorithm)


def issuer(author: Author, keys: Any = None) -> Issuer:
    return Issuer(author.issuer, AUDIENCE, author.algorithm, keys or FixedKey(key(author)))


@pytest.fixture
def auth() -> JwtAuth:
    return JwtAuth([issuer(ANN), issuer(BOB)], SCOPES, time.time)


def refused(auth: JwtAuth, token: bytes) -> str:
    with pytest.raises(Refused) as caught:
        auth.caller(token)
    return caught.value.rule


def jose_accepts(token: bytes, **options: Any) -> bool:
    """What the library says when it is asked as its documentation shows."""
    given: dict[str, Any] = {"algorithms": ["HS256"], "audience": AUDIENCE, **options}
    return bool(jose_jwt.decode(token.decode(), given.pop("key", ANN.key), **given))


def test_a_subject_keeps_its_id_and_shares_it_with_nobody(auth: JwtAuth) -> None:
    first, again = auth.caller(ANN.sign()), auth.caller(ANN.sign())
    assert first == again
    assert first.name == "ann"
    of_another_issuer = auth.caller(BOB.sign())
    of_another_subject = auth.caller(ANN.sign(claims=ANN.claims(sub="bob")))
    ids = {first.id, of_another_issuer.id, of_another_subject.id}
    assert len(ids) == 3
    assert all(one.startswith("jwt_") and len(one) <= 64 for one in ids)


def test_ids_do_not_run_together() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ('a","b', "c"), ("a", 'b","c')]
    assert len({jwt_module.caller_id(*pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "todos:read todos:write"}, {"todos:read", "todos:write"}),
        ({"scope": "openid todos:read  profile"}, {"todos:read"}),
        ({"scope": ""}, set()),
        ({"scope": "*"}, set()),
        ({"scope": "todos:* todos TODOS:READ"}, set()),
        ({"scp": "todos:read"}, {"todos:read"}),
        ({"scp": ["todos:read", "x"]}, {"todos:read"}),
        ({"scp": ["todos:read todos:write"]}, set()),
        ({"scope": "todos:read", "scp": ["todos:write"]}, {"todos:read"}),
        ({}, set()),
    ],
)
def test_scopes_are_those_that_this_service_knows(
    auth: JwtAuth, claims: dict[str, Any], scopes: set[str]
) -> None:
    plain = ANN.claims()
    del plain["scope"]
    assert auth.caller(ANN.sign(claims=plain | claims)).scopes == scopes


def test_jose_takes_a_der_public_key_for_a_secret_and_we_do_not() -> None:
    private = BOB.private
    assert isinstance(private, EllipticCurvePrivateKey)
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    message = encode(dump({"alg": "HS256"})) + b"." + encode(dump(BOB.claims()))
    token = message + b"." + encode(signature("HS256", der, message))
    assert jose_accepts(token, key=der, algorithms=None)
    assert refused(JwtAuth([issuer(BOB)], SCOPES, time.time), token) == "algorithm"


@pytest.mark.parametrize("secret", [b"", b"x"])
def test_jose_takes_any_secret_and_we_do_not(auth: JwtAuth, secret: bytes) -> None:
    token = ANN.sign()
    message = token.rsplit(b".", 1)[0]
    token = message + b"." + encode(signature("HS256", secret, message))
    assert jose_accepts(token, key=secret.decode())
    assert refused(auth, token) == "signature"
    with pytest.raises(ValueError, match="at least 32"):
        read_key(secret.decode(), "HS256")


def test_jose_takes_a_token_without_aud_and_we_do_not(auth: JwtAuth) -> None:
    claims = ANN.claims()
    del claims["aud"]
    token = ANN.sign(claims=claims)
    assert jose_accepts(token)
    assert refused(auth, token) == "audience"


def test_jose_ignores_crit_and_we_do_not(auth: JwtAuth) -> None:
    token = ANN.sign(ANN.header(crit=["exp"]))
    assert jose_accepts(token)
    assert refused(auth, token) == "header_member"


def test_jose_takes_an_alg_named_twice_and_we_do_not(auth: JwtAuth) -> None:
    token = ANN.sign(b'{"alg":"none","alg":"HS256"}')
    assert jose_accepts(token)
    assert refused(auth, token) == "duplicate_member"


def test_jose_takes_an_exp_that_is_text_and_we_do_not(auth: JwtAuth) -> None:
    token = ANN.sign(claims=ANN.claims(exp=str(int(time.time()) + 60)))
    assert jose_accepts(token)
    assert refused(auth, token) == "time"


def test_jose_takes_an_iat_to_come_and_we_do_not(auth: JwtAuth) -> None:
    token = ANN.sign(claims=ANN.claims(iat=int(time.time()) + 3_600))
    assert jose_accepts(token)
    assert refused(auth, token) == "issued_later"
    assert auth.caller(ANN.sign(claims=ANN.claims(iat=int(time.time()) + 5)))


def test_jose_takes_padding_after_the_signature_and_we_do_not(auth: JwtAuth) -> None:
    token = ANN.sign() + b"="
    assert jose_accepts(token)
    assert refused(auth, token) == "base64url"


def test_jose_breaks_on_deep_json_and_we_do_not(auth: JwtAuth) -> None:
    token = ANN.sign(b'{"a":' * 3_000 + b"1" + b"}" * 3_000)
    with pytest.raises(RecursionError):
        jose_accepts(token)
    assert refused(auth, token) == "length"
    shorter = ANN.sign(b"[" * 2_900)
    with pytest.raises(RecursionError):
        jose_accepts(shorter)
    assert refused(auth, shorter) == "depth"
    assert refused(auth, ANN.sign(claims=b"[" * 9_000)) == "depth"


def test_jose_breaks_on_infinity_and_we_do_not(auth: JwtAuth) -> None:
    claims = dump(ANN.claims(exp=float("inf")))
    token = ANN.sign(claims=claims)
    with pytest.raises(OverflowError):
        jose_accepts(token)
    assert refused(auth, token) == "finite"


def test_text_that_never_ends_is_read_in_a_moment(auth: JwtAuth) -> None:
    token = ANN.sign(claims=b'"' + b'\\"' * 5_500)
    started = time.process_time()
    for _ in range(20):
        assert refused(auth, token) == "json"
    assert time.process_time() - started < 1  # a reader that goes back takes minutes


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c", "b64", "crit"])
def test_a_header_brings_no_key_and_no_rule(auth: JwtAuth, name: str) -> None:
    values: tuple[Any, ...] = ("x", [], {}, None, False)
    for value in values:
        assert refused(auth, ANN.sign(ANN.header(**{name: value}))) == "header_member"


def test_members_that_ask_for_nothing_are_ignored(auth: JwtAuth) -> None:
    assert auth.caller(ANN.sign(ANN.header(x5t="abc", kid="../../key", nonce="1", cty="x")))


def test_a_token_of_one_issuer_signed_by_another_is_refused(auth: JwtAuth) -> None:
    assert refused(auth, EVE.sign()) == "issuer"
    assert refused(auth, EVE.sign(claims=ANN.claims())) == "signature"
    as_bob = ANN.sign(claims=BOB.claims())  # good for Ann's issuer, and it says that it is Bob's
    assert refused(auth, as_bob) == "algorithm"


def test_an_id_of_another_issuers_key_does_not_count() -> None:
    mine, theirs = Author("https://a.example", "ES256", 1), Author("https://b.example", "ES256", 2)
    auth = JwtAuth(
        [issuer(mine, Held(same=key(mine))), issuer(theirs, Held(same=key(theirs)))],
        SCOPES,
        time.time,
    )
    header = mine.header(kid="same")
    assert auth.caller(mine.sign(header)).id != auth.caller(theirs.sign(header)).id
    assert refused(auth, mine.sign(header, theirs.claims())) == "signature"
    assert refused(auth, theirs.sign(header, mine.claims())) == "signature"


def test_a_verdict_ends_with_its_token(clock: Clock) -> None:
    auth = JwtAuth([issuer(ANN)], SCOPES, clock)
    token = ANN.sign(claims=ANN.claims(iat=clock.now, exp=clock.now + 60))
    assert auth.caller(token) is auth.caller(token)
    clock.now += 59.5
    assert auth.caller(token)
    clock.now += 0.5
    assert refused(auth, token) == "expired"
    assert not auth._verdicts


def test_a_verdict_is_reached_once(monkeypatch: pytest.MonkeyPatch, auth: JwtAuth) -> None:
    token, calls = ANN.sign(), list[bytes]()
    signed = SigningKey.signed

    def counting(self: SigningKey, text: bytes) -> bool:
        calls.append(text)
        return signed(self, text)

    monkeypatch.setattr(SigningKey, "signed", counting)
    for _ in range(5):
        auth.caller(token)
    assert calls == [token]


def test_a_verdict_ends_with_its_key() -> None:
    held = Held(one=key(BOB))
    auth = JwtAuth([issuer(BOB, held)], SCOPES, time.time)
    token = BOB.sign(BOB.header(kid="one"))
    assert auth.caller(token)
    held.keys = {"two": key(BOB)}
    assert refused(auth, token) == "key"
    held.keys = {"one": key(Author(BOB.issuer, "ES256", 3))}
    assert refused(auth, token) == "signature"
    held.keys = {"one": key(BOB)}
    assert auth.caller(token)


def test_tokens_that_begin_alike_keep_their_own_verdicts(auth: JwtAuth) -> None:
    # a peer's cache knew a token by how it begins, and gave one caller another's place
    filler = {"a": "x" * 500}
    ann = ANN.sign(claims=filler | ANN.claims(sub="ann"))
    root = ANN.sign(claims=filler | ANN.claims(sub="root"))
    assert ann[:300] == root[:300]
    assert auth.caller(ann).name == "ann"
    assert auth.caller(root).name == "root"
    forged = ann[:-20] + b"A" * 20
    assert refused(auth, forged) == "signature"
    assert auth.caller(ann).name == "ann"


def test_what_is_remembered_is_bounded() -> None:
    auth = JwtAuth([issuer(ANN)], SCOPES, time.time, capacity=5)
    for number in range(20):
        auth.caller(ANN.sign(claims=ANN.claims(sub=f"user {number}")))
        refused(auth, EVE.sign())
    assert len(auth._verdicts) == 5
    assert {one.caller.name for one in auth._verdicts.values()} == {
        f"user {number}" for number in range(15, 20)
    }


def test_a_key_that_may_come_leaves_it_undecided() -> None:
    held = Held()
    auth = JwtAuth([issuer(BOB, held)], SCOPES, time.time)
    with pytest.raises(Undecided):
        auth.caller(BOB.sign(BOB.header(kid="new")))
    with pytest.raises(Refused) as caught:
        auth.caller(BOB.sign(BOB.header(kid="new")))
    assert not isinstance(caught.value, Undecided)


def test_nobody_is_asked_for_keys_before_the_rest_is_right() -> None:
    held = Held()
    auth = JwtAuth([issuer(BOB, held)], SCOPES, time.time)
    for token in (
        EVE.sign(),
        BOB.sign(b'{"alg":"none"}'),
        BOB.sign(BOB.header(jku="https://evil.example/keys")),
        BOB.sign() + b"=",
    ):
        refused(auth, token)
    assert held.asked == 0


def test_a_refusal_never_repeats_the_token(auth: JwtAuth) -> None:
    secretive = ANN.claims(sub=7, note="hunter2hunter2")
    for token in (ANN.sign(claims=secretive), EVE.sign(), ANN.sign() + b".x", b"hunter2.x.y"):
        with pytest.raises(Refused) as caught:
            auth.caller(token)
        text = caught.value.detail
        assert "hunter2" not in text
        assert not any(part.decode() in text for part in token.split(b".") if len(part) > 3)


def test_keys_are_not_shown() -> None:
    text = repr(issuer(ANN)) + str(key(ANN))
    private = private_key("HS256")
    assert isinstance(private, bytes)
    assert private.decode() not in text
    assert json.dumps(ANN.key)[1:-1] not in text

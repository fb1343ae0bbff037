import base64
import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from plugin.auth.signatures import ALGORITHMS, UnfitKey, read_jwk, read_key
from plugin.settings import JwtIssuer
from tests.auth.tokens import (
    Author,
    integer,
    private_key,
    private_pem,
    public_jwk,
    public_pem,
    rsa_key,
)

RSA = rsa_key()
CURVE = ec.derive_private_key(7_919, ec.SECP256R1())


def certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example.com")])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.public_key(CURVE.public_key()).sign(CURVE, hashes.SHA256())


def der(key: Any) -> bytes:
    data: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return data


def test_the_settings_offer_what_the_keys_know() -> None:
    offered = JwtIssuer.model_json_schema()["properties"]["algorithm"]["enum"]
    assert set(offered) == ALGORITHMS


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_each_algorithm_checks_its_own_signatures(algorithm: str) -> None:
    author, other = Author("a", algorithm), Author("a", algorithm, 1)
    key = read_key(author.key, algorithm)
    assert key.signed(author.sign())
    assert not key.signed(other.sign())
    assert key == read_key(author.key, algorithm)
    assert key != read_key(other.key, algorithm)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "ES256", "ES384", "ES512"])
def test_a_published_key_is_the_same_key(algorithm: str) -> None:
    author = Author("a", algorithm)
    for members in ({}, {"use": "sig"}, {"alg": algorithm}, {"key_ops": ["verify"], "x5c": []}):
        jwk = public_jwk(author.private, **members)
        assert read_jwk(jwk, algorithm) == read_key(author.key, algorithm)


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_its_hash(algorithm: str, least: int) -> None:
    assert read_key("k" * least, algorithm)
    with pytest.raises(UnfitKey, match=f"has {least - 1} bytes; .* at least {least}"):
        read_key("k" * (least - 1), algorithm)


@pytest.mark.parametrize(
    "text",
    [
        public_pem(RSA),
        public_pem(CURVE),
        private_pem(CURVE),
        "\n " + public_pem(CURVE),
        der(CURVE).decode("latin-1"),
        base64.b64encode(der(RSA)).decode(),
        base64.b64encode(der(CURVE)).decode(),
        base64.urlsafe_b64encode(der(RSA)).decode().rstrip("="),
        base64.encodebytes(der(RSA)).decode(),
        certificate().public_bytes(Encoding.PEM).decode(),
        base64.b64encode(certificate().public_bytes(Encoding.DER)).decode(),
        RSA.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        "from=x "
        + CURVE.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        '{"keys": [{"kty": "RSA", "n": "AAAA", "e": "AQAB"}]}',
        '{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}',
    ],
)
def test_what_others_know_is_no_secret(text: str) -> None:
    with pytest.raises(UnfitKey, match="public key or certificate"):
        read_key(text, "HS256")


@pytest.mark.parametrize(
    ("text", "algorithm", "reason"),
    [
        ("", "RS256", "PEM"),
        ("k" * 64, "RS256", "PEM"),
        ("\ud800" * 64, "RS256", "PEM"),
        (private_pem(RSA), "RS256", "private"),
        (private_pem(CURVE), "ES256", "private"),
        (public_pem(CURVE), "RS256", "kind"),
        (public_pem(RSA), "ES256", "kind"),
        (public_pem(CURVE), "ES384", "P-384"),
        (public_pem(ec.derive_private_key(7, ec.SECP256K1())), "ES256", "P-256"),
        (public_pem(rsa_key(0, 1024)), "RS256", "1024 bits"),
        (certificate().public_bytes(Encoding.PEM).decode(), "ES256", "PEM"),
    ],
)
def test_a_key_is_of_the_kind_that_its_algorithm_asks_for(
    text: str, algorithm: str, reason: str
) -> None:
    with pytest.raises(UnfitKey, match=reason):
        read_key(text, algorithm)


def test_other_kinds_of_keys_are_refused() -> None:
    public = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for algorithm in ("RS256", "ES256"):
        with pytest.raises(UnfitKey, match="kind"):
            read_key(text, algorithm)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"use": "enc"}, "use"),
        ({"use": None}, "use"),
        ({"key_ops": ["encrypt"]}, "key_ops"),
        ({"key_ops": "verify"}, "key_ops"),
        ({"alg": "RS384"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": ["RS256"]}, "alg"),
        ({"kty": "oct"}, "kind"),
        ({"kty": "EC"}, "kind"),
        ({"kty": ["RSA"]}, "kind"),
        ({"k": "AAAA"}, "secret members"),
        ({"d": "AAAA"}, "secret members"),
        ({"n": "AQAB"}, "size"),
        ({"n": 7}, "no n"),
        ({"n": "北京"}, "no n"),
        ({"n": "A" * 5_000}, "no n"),
        ({"n": integer(2**2048 + 1) + "="}, "no n"),
        ({"n": integer(2**8200 + 1)}, "no n|size"),
        ({"e": "AA"}, "numbers"),
        ({"e": "Ag"}, "numbers"),
        ({"e": None}, "no e"),
        ({"e": integer(2**64 + 1)}, "exponent"),
    ],
)
def test_a_published_key_of_rsa_must_be_one_for_signatures(
    changed: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnfitKey, match=reason):
        read_jwk(public_jwk(RSA) | changed, "RS256")


@pytest.mark.parametrize(
    "changed",
    [
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": None},
        {"crv": ["P-256"]},
        {"x": "AAAA"},
        {"y": public_jwk(CURVE)["x"]},
        {"x": "A" * 1_400},
        {"kty": "OKP", "crv": "Ed25519"},
        {"d": "AAAA"},
    ],
)
def test_a_published_key_of_a_curve_lies_on_it(changed: dict[str, Any]) -> None:
    with pytest.raises(UnfitKey):
        read_jwk(public_jwk(CURVE) | changed, "ES256")


def test_no_published_key_checks_by_secret() -> None:
    secret = private_key("HS256")
    assert isinstance(secret, bytes)
    for jwk in ({"kty": "oct", "k": integer(7)}, public_jwk(RSA), public_jwk(CURVE)):
        for algorithm in ("HS256", "none", "", "RS256 "):
            with pytest.raises(UnfitKey):
                read_jwk(jwk, algorithm)


def test_a_reason_shows_nothing_of_the_key() -> None:
    for text, algorithm in (("hunter2", "HS256"), ("hunter2", "RS256")):
        with pytest.raises(UnfitKey) as caught:
            read_key(text, algorithm)
        assert "hunter2" not in str(caught.value)

"""Authors of tokens, honest and otherwise: they sign whatever bytes a test wants signed."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

AUDIENCE = "gpt-plugin"
HASHES: dict[str, Any] = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES: dict[str, Any] = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}

SERIALS = itertools.count()
"""No two tokens are alike, as with real issuers."""

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | bytes


def encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def dump(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


@cache
def rsa_key(_serial: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key a number; making one takes a while."""
    return rsa.generate_private_key(65_537, bits)


@cache
def private_key(algorithm: str, serial: int = 0) -> Private:
    if algorithm.startswith("HS"):
        return hashlib.shake_256(f"{algorithm} {serial}".encode()).hexdigest(32).encode()
    if algorithm.startswith("RS"):
        return rsa_key(serial)
    return ec.derive_private_key(7_919 + serial, CURVES[algorithm][1])


def signature(algorithm: str, key: Private, message: bytes) -> bytes:
    kind = HASHES[algorithm[2:]]()
    if isinstance(key, bytes):
        return hmac.digest(key, message, f"sha{algorithm[2:]}")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), kind)
    size = (key.curve.key_size + 7) // 8
    numbers = decode_dss_signature(key.sign(message, ec.ECDSA(kind)))
    return b"".join(number.to_bytes(size, "big") for number in numbers)


def public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = PrivateFormat.PKCS8
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def integer(number: int, size: int | None = None) -> str:
    return encode(number.to_bytes(size or (number.bit_length() + 7) // 8, "big")).decode()


def public_jwk(key: Private, **members: Any) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": integer(numbers.n), "e": integer(numbers.e), **members}
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    point, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    names = {curve.name: name for name, curve in CURVES.values()}
    x, y = integer(point.x, size), integer(point.y, size)
    return {"kty": "EC", "crv": names[key.curve.name], "x": x, "y": y, **members}


@dataclass(frozen=True)
class Author:
    """Signs as `issuer` with the key `serial` of its algorithm."""

    issuer: str
    algorithm: str
    serial: int = 0

    @property
    def private(self) -> Private:
        return private_key(self.algorithm, self.serial)

    @property
    def key(self) -> str:
        """What the settings of a service that trusts this author hold."""
        private = self.private
        return private.decode() if isinstance(private, bytes) else public_pem(private)

    def header(self, **members: Any) -> dict[str, Any]:
        return {"alg": self.algorithm, "typ": "JWT", **members}

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ann",
            "iat": now,
            "exp": now + 600,
            "scope": "todos:read",
            "jti": f"token-{next(SERIALS)}",
            **changed,
        }

    def sign(self, header: Any = None, claims: Any = None, key: Private | None = None) -> bytes:
        """A token of these two, dictionaries or bytes; those of an honest one by default."""
        head = dump(self.header() if header is None else header)
        body = dump(self.claims() if claims is None else claims)
        return self.seal(encode(head) + b"." + encode(body), key)

    def seal(self, message: bytes, key: Private | None = None) -> bytes:
        """Text of any kind, and the signature that belongs to it."""
        return message + b"." + encode(signature(self.algorithm, key or self.private, message))

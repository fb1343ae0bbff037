"""Keys that check signatures: the one module that imports python-jose, when a key is first read.

A key is bound to one algorithm as it is read, and refused when it is not one for it; so nothing in
a token can choose how it is checked.
"""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugin.auth.compact import decode

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurve
    from jose.backends.base import Key

_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
"""The least that an algorithm asks of a secret (RFC 7518, 3.2)."""

_RSA = frozenset({"RS256", "RS384", "RS512"})
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_CURVE_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
ALGORITHMS = frozenset({*_SECRET_BYTES, *_RSA, *_CURVES})

_RSA_BITS = range(2048, 8193)  # RFC 7518, 3.3; above, checking a forgery costs too much
_LARGEST_EXPONENT = 2**32
_LONGEST_NUMBER = 1_400  # characters of base64 for 8,192 bits
_SSH = re.compile(r"(?:ssh-|ecdsa-sha2-|sk-)\S+ ")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class UnfitKey(ValueError):  # noqa: N818 - names say what is wrong, not that it is an error
    """Not a key for this algorithm; the message completes "the key …" and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Checks signatures of one algorithm. Two are equal when they are made of the same key."""

    algorithm: str
    fingerprint: bytes = field(repr=False)
    _key: "Key" = field(repr=False, compare=False)

    def signed(self, token: bytes) -> bool:
        """Whether this key signed `token`, which `compact.read` has passed."""
        from jose import jws
        from jose.exceptions import JWSError

        try:
            jws.verify(token.decode("ascii"), self._key, [self.algorithm])
        except JWSError:
            return False
        return True


def read_key(text: str, algorithm: str) -> SigningKey:
    """The key in `text`: a secret for HS*, a PEM public key for others. Raises `UnfitKey`."""
    if algorithm in _SECRET_BYTES:
        return _secret(text, algorithm)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE KEY-----" in text:
        raise UnfitKey("is a private one; give the public key, the private one stays secret")
    try:
        public = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise UnfitKey("is not a public key in PEM (-----BEGIN PUBLIC KEY-----)") from None
    return _public(public, algorithm)


def read_jwk(jwk: Mapping[str, Any], algorithm: str) -> SigningKey:
    """The public key in a JWK (RFC 7517), when it is meant to check signatures of `algorithm`."""
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise UnfitKey("is published with its secret members")
    if jwk.get("use", "sig") != "sig":
        raise UnfitKey("is not for signatures (use)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnfitKey("is not for checking signatures (key_ops)")
    if jwk.get("alg", algorithm) != algorithm:
        raise UnfitKey("is for another algorithm (alg)")
    try:
        return _public(_numbers(jwk, algorithm), algorithm)
    except UnfitKey:
        raise
    except ValueError:
        raise UnfitKey("holds numbers that are no key") from None


def _numbers(jwk: Mapping[str, Any], algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    match jwk.get("kty"):
        case "RSA" if algorithm in _RSA:
            modulus = _integer(jwk, "n")
            if modulus.bit_length() not in _RSA_BITS:
                raise UnfitKey("has a size that is not accepted")
            return rsa.RSAPublicNumbers(_integer(jwk, "e"), modulus).public_key()
        case "EC" if jwk.get("crv") == _CURVES.get(algorithm, ()):
            curves: dict[str, EllipticCurve] = {
                "P-256": ec.SECP256R1(),
                "P-384": ec.SECP384R1(),
                "P-521": ec.SECP521R1(),
            }
            point = _integer(jwk, "x"), _integer(jwk, "y")
            return ec.EllipticCurvePublicNumbers(*point, curves[jwk["crv"]]).public_key()
        case _:
            raise UnfitKey("is of another kind (kty, crv) than the algorithm asks for")


def _integer(jwk: Mapping[str, Any], name: str) -> int:
    text = jwk.get(name)
    if not isinstance(text, str) or len(text) > _LONGEST_NUMBER:
        raise UnfitKey(f"has no {name} of a sensible length")
    data = decode(text.encode("ascii", "replace"))
    if data is None:
        raise UnfitKey(f"has no {name} in base64url")
    return int.from_bytes(data, "big")


def _public(key: Any, algorithm: str) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from jose import jwk

    if isinstance(key, rsa.RSAPublicKey) and algorithm in _RSA:
        _check_rsa(key.key_size, key.public_numbers().e)
    elif not isinstance(key, ec.EllipticCurvePublicKey) or algorithm not in _CURVES:
        raise UnfitKey(f"is not of the kind that {algorithm} asks for")
    elif _CURVE_NAMES.get(key.curve.name) != _CURVES[algorithm]:
        raise UnfitKey(f"is not on the curve {_CURVES[algorithm]}, which {algorithm} asks for")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(algorithm, hashlib.sha256(der).digest(), jwk.construct(key, algorithm))


def _check_rsa(bits: int, exponent: int) -> None:
    if bits not in _RSA_BITS:
        raise UnfitKey(f"has {bits} bits; an RSA key has {_RSA_BITS[0]} to {_RSA_BITS[-1]}")
    if exponent > _LARGEST_EXPONENT:
        raise UnfitKey("has an exponent that makes each check too dear")


def _secret(text: str, algorithm: str) -> SigningKey:
    from jose import jwk
    from jose.exceptions import JWKError

    secret, least = text.encode("utf-8", "surrogatepass"), _SECRET_BYTES[algorithm]
    if len(secret) < least:
        raise UnfitKey(f"has {len(secret)} bytes; a secret for {algorithm} has at least {least}")
    public = UnfitKey(f"is a public key or certificate, which is no secret for {algorithm}")
    if _is_public_knowledge(text):
        raise public
    try:
        key = jwk.construct(secret, algorithm)
    except JWKError:
        raise public from None
    return SigningKey(algorithm, hashlib.sha256(secret).digest(), key)


def _is_public_knowledge(text: str) -> bool:
    """Whether what is given as a secret is a key that others may know, in any usual spelling."""
    bare = text.strip()
    if "-----BEGIN " in bare or _SSH.match(bare) or _is_jwk(bare):
        return True
    return any(_is_der(data) for data in (text.encode("latin-1", "replace"), _unpacked(bare)))


def _is_jwk(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not {"kty", "keys"}.isdisjoint(value)


def _unpacked(text: str) -> bytes:
    try:
        plain = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return b""


def _is_der(data: bytes) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.x509 import load_der_x509_certificate

    for load in (load_der_public_key, load_der_x509_certificate):
        try:
            load(data)
        except (ValueError, UnsupportedAlgorithm):
            continue
        return True
    return False

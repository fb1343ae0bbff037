"""Tokens that a careless or hostile client may send, and the rule that each breaks.

Every maker takes dice and an author and returns a token with the rules that may be named for it:
none for a good token, `ANY` where only the signature library can tell.
"""

import base64
import json
import random
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.auth.tokens import Author, dump, encode, private_key, public_pem, signature

ANY = frozenset({"*"})
GOOD: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Odd:
    """A token, and the rules of which one must be named; no rules for one that opens the gate."""

    token: bytes
    rules: frozenset[str]
    author: Author


Made = tuple[bytes, frozenset[str]]
Maker = Callable[[random.Random, Author], Made]

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 1.5, 10**30, "", " ", "x", "1", "null", "*", "\u0000", "北京"),
    *([], [None], [1], ["x"], [[]], {}, {"a": 1}, {"a": {"b": []}}, "a" * 300, "\ud800", ["gpt"]),
)


def odd_tokens(count: int, authors: list[Author], seed: int) -> Iterator[Odd]:
    """So many tokens; each maker takes its turn with each author."""
    dice = random.Random(seed)  # noqa: S311 - the same tokens at each run
    # RSA signs slowly: it takes part, but less often than the others
    quick = [one for one in authors if not one.algorithm.startswith("RS")]
    for number in range(count):
        turn = number // len(MAKERS)
        chosen = authors if turn % 8 == 0 else quick
        author = chosen[turn // (8 if chosen is authors else 1) % len(chosen)]
        token, rules = MAKERS[number % len(MAKERS)](dice, author)
        yield Odd(token, rules, author)


def _one(*rules: str) -> frozenset[str]:
    return frozenset(rules)


def good(dice: random.Random, author: Author) -> Made:
    now = int(time.time())
    header = author.header(**dice.choice(({}, {"kid": "1"}, {"x5t": "abc"}, {"cty": "x", "n": ""})))
    match dice.randrange(4):
        case 0:
            del header["typ"]
        case 1:
            header["typ"] = dice.choice(("jwt", "at+jwt", "AT+JWT", "application/at+jwt"))
    claims = author.claims(sub=dice.choice(("ann", "auth0|5f7c", "ann@example.com", "安", "a b")))
    claims["aud"] = dice.choice(("gpt-plugin", ["gpt-plugin"], ["other", "gpt-plugin"]))
    claims |= dice.choice(
        ({}, {"nbf": now}, {"iat": now + 4}, {"exp": now + 60.5}, {"jti": "1"}, {"iat": now - 0.5})
    )
    claims |= dice.choice(
        ({}, {"scp": ["a", "b"]}, {"scp": "a b"}, {"azp": None}, {"realm_access": {"roles": [1]}})
    )
    text = json.dumps(claims, indent=dice.choice((None, 1)), ensure_ascii=dice.random() < 0.5)
    return author.sign(header, text.encode()), GOOD


def byte_changed(dice: random.Random, author: Author) -> Made:
    token = author.sign()
    at = dice.randrange(len(token))
    other = dice.choice([one for one in range(256) if one != token[at]])
    return token[:at] + bytes([other]) + token[at + 1 :], ANY


def letter_changed(dice: random.Random, author: Author) -> Made:
    token = author.sign()
    at = dice.choice([index for index, one in enumerate(token) if one != ord(".")])
    letters = (string.ascii_letters + string.digits + "-_").encode()
    other = dice.choice([one for one in letters if one != token[at]])
    return token[:at] + bytes([other]) + token[at + 1 :], ANY


def cut_or_grown(dice: random.Random, author: Author) -> Made:
    token = author.sign()
    at = dice.randrange(1, len(token))
    more = dice.choice((b"A", b"AA", b"AAAA", b"=", b"==", b".", b" ", b"\n", b"\x00", token))
    return dice.choice((token[:at], token[at:], token + more, more + token)), ANY


def padded(dice: random.Random, author: Author) -> Made:
    parts = author.sign().split(b".")
    at = dice.randrange(3)
    if dice.random() < 0.5:
        parts[at] += b"=" * (-len(parts[at]) % 4 or 4)
        return b".".join(parts), _one("base64url")
    # the signature covers the padding as well
    message = b".".join(part + b"=" * (-len(part) % 4) for part in parts[:2])
    if b"=" not in message:
        message += b"===="
    return author.seal(message), _one("base64url")


def other_alphabet(dice: random.Random, author: Author) -> Made:
    claims = dump(author.claims(name="?>?>~~\u00ff\u00ff"))
    message = encode(dump(author.header())) + b"." + base64.b64encode(claims + b"  ").rstrip(b"=")
    if dice.random() < 0.5:
        message = message.replace(b".", dice.choice((b" .", b".\n", b".\t", b".%20")))
    elif not {ord("+"), ord("/")} & set(message):
        message += b"+"
    return author.seal(message), _one("base64url")


def loose_bits(_dice: random.Random, author: Author) -> Made:
    claims = dump(author.claims())
    claims += b" " * ((1 - len(claims)) % 3)
    text = encode(claims)  # one byte over: four bits of the last letter stand for nothing
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = letters[letters.index(chr(text[-1])) + 1].encode()
    message = encode(dump(author.header())) + b"." + text[:-1] + last
    return author.seal(message), _one("base64url")


def other_parts(dice: random.Random, author: Author) -> Made:
    head, body, tail = author.sign().split(b".")
    kinds: tuple[Made, ...] = (
        (b".".join((head, body)), _one("three_parts")),
        (head, _one("three_parts")),
        (b".".join((head, body, tail, tail)), _one("three_parts")),
        (b".".join((head, b"", body, tail)), _one("three_parts")),
        (b".".join((head, body, body, body, tail)), _one("encrypted")),
        (b".".join((head, body, b"")), _one("base64url")),
        (b".".join((b"", body, tail)), _one("base64url")),
        (b".".join((head, b"", tail)), _one("base64url")),
        (b"..", _one("base64url")),
        (b"", _one("three_parts")),
        (b".".join((body, head, tail)), _one("algorithm", "header_value")),
        (b".".join((tail, body, head)), _one("utf8", "json", "depth")),
    )
    return dice.choice(kinds)


def other_signature(dice: random.Random, author: Author) -> Made:
    token = author.sign()
    message, tail = token.rsplit(b".", 1)
    size = len(signature(author.algorithm, author.private, b""))
    another = author.sign(claims=author.claims(sub="bob")).rsplit(b".", 1)[1]
    forged = (
        another,
        encode(bytes(size)),
        encode(b"\xff" * size),
        encode(dice.randbytes(size)),
        encode(dice.randbytes(dice.choice((1, 8, size - 1, size + 1, 3 * size)))),
        encode(base64.urlsafe_b64decode(tail + b"==") + b"\x00"),
        encode(b"\x00" + base64.urlsafe_b64decode(tail + b"==")),
        encode(b"\x30\x06\x02\x01\x01\x02\x01\x01"),
    )
    return message + b"." + dice.choice(forged), _one("signature")


def other_key(dice: random.Random, author: Author) -> Made:
    return author.sign(key=private_key(author.algorithm, 1 + dice.randrange(2))), _one("signature")


def public_key_as_secret(dice: random.Random, author: Author) -> Made:
    """The oldest trick: sign by HMAC with what everybody knows."""
    known = b"" if isinstance(author.private, bytes) else public_pem(author.private).encode()
    secret = dice.choice((known, known.strip(), b"", b"\x00", b"secret", author.issuer.encode()))
    algorithm = dice.choice(("HS256", "HS384", "HS512"))
    message = encode(dump(author.header(alg=algorithm))) + b"." + encode(dump(author.claims()))
    rule = "signature" if algorithm == author.algorithm else "algorithm"
    return message + b"." + encode(signature(algorithm, secret, message)), _one(rule)


def other_algorithm(dice: random.Random, author: Author) -> Made:
    names = "none None NONE nOnE HS256 HS384 HS512 RS256 PS256 ES256 ES256K EdDSA hs256 dir A128KW"
    other = {*names.split(), "", " ", f"{author.algorithm} "} - {author.algorithm}
    name = dice.choice(sorted(other))
    token = author.sign(author.header(alg=name))
    if dice.random() < 0.3:
        token = token.rsplit(b".", 1)[0] + b"." + encode(b"x")
    return token, _one("algorithm")


def algorithm_of_another(dice: random.Random, author: Author) -> Made:
    """A good signature of another kind, by another issuer's key or by one's own."""
    name = dice.choice([one for one in ("HS256", "HS384", "ES256") if one != author.algorithm])
    other = Author(author.issuer, name)
    return other.sign(claims=author.claims()), _one("algorithm")


def asking_header(dice: random.Random, author: Author) -> Made:
    name, value = dice.choice(
        (
            ("crit", ["exp"]),
            ("crit", []),
            ("crit", ["b64"]),
            ("b64", False),
            ("b64", True),
            ("jku", "https://evil.example/jwks.json"),
            ("jwk", {"kty": "oct", "k": "AAAA"}),
            ("x5u", "https://evil.example/cert.pem"),
            ("x5c", ["MIIB"]),
            ("jku", 7),
        )
    )
    return author.sign(author.header(**{name: value})), _one("header_member")


def odd_header_value(dice: random.Random, author: Author) -> Made:
    name = dice.choice(("alg", "typ", "kid", "cty", "x5t", "enc", "zip", "anything"))
    value = dice.choice([one for one in JUNK if not isinstance(one, str)])
    return author.sign(author.header(**{name: value})), _one("header_value")


def odd_type(dice: random.Random, author: Author) -> Made:
    types = ("", " ", "JWE", "JOSE", "dpop+jwt", "logout+jwt", "secevent+jwt", "jwt ", "id_token")
    return author.sign(author.header(typ=dice.choice(types))), _one("type")


def no_algorithm(_dice: random.Random, author: Author) -> Made:
    return author.sign({"typ": "JWT"}), _one("algorithm")


def odd_json(dice: random.Random, author: Author) -> Made:
    head, body = dump(author.header()), dump(author.claims())
    at_head = dice.random() < 0.5
    text = head if at_head else body
    deep = dice.choice((17, 200, 900, 2_000))
    broken: tuple[tuple[bytes, frozenset[str]], ...] = (
        (text[:-1], _one("json")),
        (text + b"}", _one("json")),
        (b"\xef\xbb\xbf" + text, _one("json")),
        (b"[" + text + b"]", _one("json")),
        (b'"text"', _one("json")),
        (b"null", _one("json")),
        (text.replace(b'"', b"'"), _one("json")),
        (text[:-1] + b',"a":1,}', _one("json")),
        (text[:-1] + b',"a":"\n"}', _one("json")),
        (text[:-1] + b',"a":' + b"9" * 2_500 + b"e}", _one("json")),
        (text.decode().encode("utf-16"), _one("utf8")),
        (text.decode().encode("utf-32-le"), _one("json")),
        (text[:-1] + b',"a":"\xff"}', _one("utf8")),
        (text[:-1] + b',"a":"\xc0\xaf"}', _one("utf8")),
        (text[:-1] + b',"a":"\xed\xa0\x80"}', _one("utf8")),
        (text[:-1] + b',"a":NaN}', _one("finite")),
        (text[:-1] + b',"a":-Infinity}', _one("finite")),
        (text[:-1] + b',"a":1e999}', _one("finite")),
        (text[:-1] + b',"a":' + b"[" * deep + b"]" * deep + b"}", _one("depth", "length")),
        (b'{"a":' * deep + b"1" + b"}" * deep, _one("depth", "length")),
        (b"[" * deep, _one("depth", "length")),
        (b'"' + b'\\"' * dice.choice((10, 1_400)), _one("json", "length")),
    )
    text, rules = dice.choice(broken)
    return author.sign(text if at_head else head, body if at_head else text), rules


def named_twice(dice: random.Random, author: Author) -> Made:
    head, body = dump(author.header()), dump(author.claims())
    kinds = (
        (head[:-1] + b',"alg":"none"}', body),
        (b'{"alg":"none",' + head[1:], body),
        (head[:-1] + b',"\\u0061lg":"HS256"}', body),
        (head, body[:-1] + b',"sub":"admin"}'),
        (head, body[:-1] + b',"iss":"' + author.issuer.encode() + b'"}'),
        (head, b'{"exp":1,' + body[1:]),
        (head, body[:-1] + b',"a":{"b":1,"b":1}}'),
        (head, body[:-1] + b',"a":[{"b":[{"c":1,"c":2}]}]}'),
    )
    return author.sign(*dice.choice(kinds)), _one("duplicate_member")


def too_long(dice: random.Random, author: Author) -> Made:
    size = dice.choice((12_400, 20_000))
    if dice.random() < 0.5:
        return author.sign(author.header(note="a" * 3_200)), _one("length")
    return author.sign(claims=author.claims(note="a" * size)), _one("length")


Values = tuple[Any, ...]

_NO_TIMES: Values = (None, "", "soon", "1e9", [], {}, True, -1, 10**18, 10**400, 1e18)


def _claim(author: Author, name: str, value: Any, rule: str) -> Made:
    claims = author.claims()
    if value is ...:
        del claims[name]
    else:
        claims[name] = value
    return author.sign(claims=claims), _one(rule)


def odd_issuer(dice: random.Random, author: Author) -> Made:
    own = author.issuer
    values = (..., own + "/", own[:-1], own.upper(), "", None, 7, [own], {own: 1}, " " + own)
    return _claim(author, "iss", dice.choice(values), "issuer")


def odd_audience(dice: random.Random, author: Author) -> Made:
    own = "gpt-plugin"
    values: Values = (
        *(..., "", None, 7, True, [], {}, {own: 1}, own + "/", own[:4], own.upper(), f"{own} x"),
        *([own, 7], [own, None], [[own]], ["x"], [own.title()], f'["{own}"]', f"x,{own}"),
    )
    return _claim(author, "aud", dice.choice(values), "audience")


def odd_expiry(dice: random.Random, author: Author) -> Made:
    now = int(time.time())
    values: tuple[tuple[Any, str], ...] = (
        *((value, "time") for value in _NO_TIMES),
        *((value, "time") for value in (..., str(now + 600), [now + 600], -0.5, False)),
        *((value, "expired") for value in (0, 1, now - 1, now - 5, now - 3_600, now - 0.5)),
    )
    return _claim(author, "exp", *dice.choice(values))


def odd_beginning(dice: random.Random, author: Author) -> Made:
    name, rule = dice.choice((("nbf", "not_yet"), ("iat", "issued_later")))
    now = int(time.time())
    values: tuple[tuple[Any, str], ...] = (
        *((value, "time") for value in (*_NO_TIMES, str(now), [now])),
        *((value, rule) for value in (now + 60, now + 3_600, now + 30.5, 10**11)),
    )
    return _claim(author, name, *dice.choice(values))


def odd_subject(dice: random.Random, author: Author) -> Made:
    values: Values = (
        *(..., None, "", " ", "\t", 7, True, ["ann"], {"id": "ann"}, "a" * 256, "ann\n", "a\x00b"),
        *("\ud800", "ann\u202e", "\u200b", "\x7f", "a\u2028b"),
    )
    return _claim(author, "sub", dice.choice(values), "subject")


def odd_scope(dice: random.Random, author: Author) -> Made:
    name = dice.choice(("scope", "scp"))
    values = [None, 7, True, {}, {"todos:read": 1}, [7], ["a", None], [["a"]]]
    return _claim(
        author, name, dice.choice(values if name == "scp" else [*values, [], ["a"]]), "scope"
    )


def odd_token_id(dice: random.Random, author: Author) -> Made:
    return _claim(author, "jti", dice.choice((None, 7, True, [], {}, 1.5)), "token_id")


def junk_claim(dice: random.Random, author: Author) -> Made:
    """Whatever in whichever claim: only the comparison tells what is right."""
    name = dice.choice(("iss", "aud", "exp", "nbf", "iat", "sub", "jti", "scope", "scp", "azp"))
    return author.sign(claims=author.claims(**{name: dice.choice(JUNK)})), ANY


def junk_header(dice: random.Random, author: Author) -> Made:
    name = dice.choice(("alg", "typ", "kid", "crit", "b64", "jwk", "x5t", "enc", "p2c"))
    return author.sign(author.header(**{name: dice.choice(JUNK)})), ANY


def another_service(dice: random.Random, author: Author) -> Made:
    """Honest, but not of this issuer: its key says so."""
    other = Author("https://evil.example", author.algorithm, 1)
    claims = other.claims() if dice.random() < 0.5 else author.claims()
    return other.sign(claims=claims), _one("issuer", "signature")


def noise(dice: random.Random, _author: Author) -> Made:
    data = dice.randbytes(dice.randrange(1, 300))
    kinds = (data, b".".join((data, data, data)), b".".join([encode(data)] * 3), b"a.b.c", b"...")
    return dice.choice(kinds), ANY


MAKERS: tuple[Maker, ...] = (
    *(good, byte_changed, letter_changed, cut_or_grown, padded, other_alphabet, loose_bits),
    *(other_parts, other_signature, other_key, public_key_as_secret, other_algorithm, good),
    *(algorithm_of_another, asking_header, odd_header_value, odd_type, no_algorithm, odd_json),
    *(odd_json, named_twice, too_long, odd_issuer, odd_audience, odd_expiry, odd_beginning),
    *(odd_subject, odd_scope, odd_token_id, junk_claim, junk_header, another_service, noise),
)

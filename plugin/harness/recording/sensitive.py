"""Finds secrets and personal data: by their shape in text, and by the name of the key they have."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address


class Kind(StrEnum):
    """What was found; it decides what stands in its place."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    IP = "ip"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a text that has to be masked."""

    start: int
    end: int
    kind: Kind


_WORD = r"[A-Za-z0-9_-]"
_KEY_SHAPES = re.compile(
    rf"(?<!{_WORD})(?:"
    r"(?:sk|rk|pk)[-_](?:ant-|proj-|live_|test_|svcacct-|or-v1-)?[A-Za-z0-9_-]{16,}"
    r"|gpk_[A-Za-z0-9]{20,}|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{20,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}"
    r"|dop_v1_[a-f0-9]{40,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{20,}|xai-[A-Za-z0-9]{20,}"
    r"|gsk_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=]{16,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
    r")"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_AFTER_SCHEME = re.compile(
    rf"(?i)(?<!{_WORD})(?:bearer|basic)[ ]+"
    r"(?P<it>(?=[A-Za-z._~+/-]*[0-9=])[A-Za-z0-9._~+/=-]{8,})"
)
_IN_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]{0,20}://[^\s/@:\"']{0,100}:(?P<it>[^\s/@\"']{1,200})@")
_ASSIGNED = re.compile(
    r"(?i)(?:pass(?:word|wd|phrase)|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|(?<!page_)(?<!page)(?<!next_)token|authorization|credentials?)"
    r"\\*[\"']?\s*[:=]\s*\\*[\"']?(?:(?:bearer|basic)\s+)?(?P<it>[^\s\"'\\,;&{}\[\]<>]{4,})"
)
_MASKED = re.compile(r"(?:[A-Za-z]{2,6}[-_][a-z0-9_-]{0,7})?masked-\d+")
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"
    r"(?![A-Za-z0-9-])"
)
_PHONES = re.compile(
    r"(?<![\w+.])(?<!\d[ -])(?:"  # not within a longer row of digits
    r"\+(?!\d{1,3}\.\d+(?![\d.-]))[1-9](?:[ .()/-]{0,2}\d){7,14}"  # +1 (415) 555-2671
    r"|1[3-9]\d(?:[ -]?\d{4}){2}"  # 138 1234 5678
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}([ .-])\d{3}\1\d{4}"  # (415) 555-2671
    r"|0[1-9](?:[ .-]\d{2}){4}|0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}"  # 06 12 34 56 78, 020 7946 0958
    r")(?![\w-]|\.\d)"
)
_CARD = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]{2,30}:[0-9a-fA-F:.]+)(?![\w:])"
)

_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
"""How the numbers of the card networks begin, and how long they are."""


def find(text: str, *, addresses: bool = False) -> list[Span]:
    """What in a text has to be masked, in order and without overlap; of two the earlier counts."""
    found = sorted(_all(text, addresses), key=lambda span: (span.start, -span.end))
    spans: list[Span] = []
    for span in found:
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
    return spans


def _all(text: str, addresses: bool) -> Iterator[Span]:  # noqa: FBT001 - passed on
    for pattern in (_PRIVATE_KEY, _KEY_SHAPES):
        yield from _spans(pattern, text, Kind.SECRET)
    for pattern in (_AFTER_SCHEME, _IN_URL, _ASSIGNED):
        for match in pattern.finditer(text):
            if not _MASKED.fullmatch(match["it"]):
                yield Span(*match.span("it"), Kind.SECRET)
    if "@" in text:
        yield from _spans(_EMAIL, text, Kind.EMAIL, _is_real_address)
    yield from _spans(_CARD, text, Kind.CARD, is_card)
    yield from _spans(_IBAN, text, Kind.IBAN, is_iban)
    yield from _spans(_PHONES, text, Kind.PHONE)
    if addresses:
        yield from _spans(_IP, text, Kind.IP, _is_ip)


def _spans(
    pattern: re.Pattern[str], text: str, kind: Kind, holds: Callable[[str], bool] = bool
) -> Iterator[Span]:
    return (Span(*found.span(), kind) for found in pattern.finditer(text) if holds(found[0]))


def is_card(text: str) -> bool:
    """Whether digits are a card number: those of a network, and Luhn's checksum fits."""
    digits = re.sub(r"\D", "", text)
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits) == 0


def luhn(digits: str) -> int:
    """Luhn's checksum; 0 for a card number as issued."""
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10  # noqa: PLR2004 - its digit sum


def is_iban(text: str) -> bool:
    """Whether letters and digits are an account number: ISO 13616's checksum fits."""
    return iban_remainder(text.replace(" ", "")) == 1


def iban_remainder(iban: str) -> int:
    """What ISO 7064 leaves of an IBAN without blanks; 1 where it is one."""
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97


def _is_real_address(address: str) -> bool:
    """Not one of the names kept for examples (RFC 2606), which belong to nobody."""
    domain = address.rpartition("@")[2].lower()
    return not re.search(r"(?:^|\.)(?:example(?:\.(?:com|net|org))?|test|invalid)$", domain)


def _is_ip(text: str) -> bool:
    try:
        return not ip_address(text).is_loopback
    except ValueError:
        return False


_SECRET_KEY = re.compile(
    r"(?:.*(?:password|passwd|passphrase|secret|credential|apikey|accesskey|privatekey|secretkey"
    r"|signingkey|authkey)s?|(?!.*(?:page|next|continuation|sync|cancel|count)token).*token"
    r"|(?:proxy|x)?authorization|pwd|pass|passcode|pin|pincode|otp|cvv2?|cvc2?|ssn|(?:set)?cookie"
    r"|sessionid|socialsecuritynumber|bearer|securitycode)"
)
_PERSONAL_KEYS = (
    (Kind.EMAIL, re.compile(r".*(?:email|emailaddress|mailto)")),
    (Kind.PHONE, re.compile(r".*(?:phone|phonenumber|mobile|mobilenumber|telephone|msisdn|fax)")),
    (Kind.CARD, re.compile(r".*(?:cardnumber|creditcard|cardno|pan)")),
    (Kind.IBAN, re.compile(r".*iban")),
)
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_FEWEST_DIGITS = 5
"""A value with fewer is no telephone number, whatever its key says (`"phone": "iPhone 15"`)."""


def is_secret_key(key: str) -> bool:
    """Whether what stands under a key is a secret, whatever it looks like."""
    return _SECRET_KEY.fullmatch(_folded(key)) is not None


def kind_of_key(key: str, value: str) -> Kind | None:
    """The kind that a key gives to a value of no telling shape, such as a local phone number."""
    folded = _folded(key)
    for kind, pattern in _PERSONAL_KEYS:
        if pattern.fullmatch(folded):
            return kind if _could_be(kind, value) else None
    return None


def _could_be(kind: Kind, value: str) -> bool:
    digits = sum(map(str.isdigit, value))
    match kind:
        case Kind.EMAIL:
            return "@" in value and _is_real_address(value)
        case Kind.PHONE:
            return digits >= _FEWEST_DIGITS and 2 * digits >= len(value)
        case _:
            return digits > 2 * _FEWEST_DIGITS


def _folded(key: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", key).lower()

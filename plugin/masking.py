"""Addresses as they may be shown: without the passwords and keys that they hold."""

import re
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
"""Stands for what is not shown."""

_END_OF_AUTHORITY = re.compile(r"[/?#]")


def masked_address(address: str) -> str:
    """Return `address` with its user, password, query values and fragment as `***`.

    What is no address is masked as well, as far as it looks like one.
    """
    scheme, slashes, rest = address.partition("://")
    if not slashes:
        scheme, rest = "", address
    begin = _after_user(rest)
    if begin:
        rest = f"{HIDDEN}@{rest[begin:]}"
    cut = re.search(r"[?#]", rest)
    if cut:
        query, sharp, _ = rest[cut.start() :].partition("#")
        rest = rest[: cut.start()] + _masked_query(query) + (f"#{HIDDEN}" if sharp else "")
    return f"{scheme}{slashes}{rest}"


def without_user(address: str) -> str:
    """Return a valid address without its user and password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _after_user(rest: str) -> int:
    """Where the host begins behind a user name, 0 if there is none."""
    authority = _END_OF_AUTHORITY.split(rest, maxsplit=1)[0]
    if "@" in authority:
        return authority.rindex("@") + 1
    # a password that was not encoded may hold what ends an authority: then no port stands there
    port = authority.rpartition("]")[2].partition(":")[2]
    return rest.rfind("@") + 1 if port and not port.isdigit() else 0


def _masked_query(query: str) -> str:
    if not query:
        return ""
    pairs = (pair.partition("=") for pair in query[1:].split("&"))
    return "?" + "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in pairs)

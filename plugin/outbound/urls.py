"""URLs as the guarded client takes them: read by the parser that sends, refused by their shape."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from plugin.errors import SourceUnavailable
from plugin.outbound import addresses

if TYPE_CHECKING:
    from yarl import URL

_PRIVILEGED_PORTS_END = 1024


class AddressRefused(SourceUnavailable):
    """A URL that this service does not open, whatever lies behind it."""

    code = "address_refused"
    title = "The address is not allowed"


def parse(url: str, params: Mapping[str, str] | None) -> "URL":
    """The URL as aiohttp reads it: one parser checks and sends, so that they cannot disagree."""
    from yarl import URL

    if any(ord(character) <= ord(" ") or character == "\x7f" for character in url):
        raise AddressRefused("The address contains white space or control characters.")
    try:
        parsed = URL(url)
        _check_shape(parsed)
        return parsed.update_query(params) if params else parsed
    except ValueError as error:
        raise AddressRefused("The address is not a valid URL.") from error


def with_target(origin: "URL", target: str) -> "URL":
    """A URL of the origin with this path and query, neither decoded nor encoded anew."""
    from yarl import URL

    if not target.startswith("/") or any(not "!" <= character <= "~" for character in target):
        raise AddressRefused("The path of a request has to begin with / and hold ASCII alone.")
    path, _, query = target.partition("?")
    return URL.build(
        scheme=origin.scheme,
        authority=origin.raw_authority,
        path=path,
        query_string=query,
        encoded=True,
    )


def join(target: "URL", location: str) -> "URL":
    """Where a redirect leads. Raises AddressRefused for what is no URL."""
    from yarl import URL

    try:
        return parse(str(target.join(URL(location))), None)
    except ValueError as error:
        raise AddressRefused(f"{target.host} redirects to something that is no URL.") from error


def _check_shape(url: "URL") -> None:
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise AddressRefused("Only http and https addresses with a host can be opened.")
    if url.raw_user is not None or url.raw_password is not None:
        raise AddressRefused(
            f"The address of {url.host} carries a user name or password; remove it."
        )
    if not url.port:
        raise AddressRefused(f"Port 0 of {url.host} cannot be opened.")


def check_public(url: "URL") -> None:
    """Raises AddressRefused for what the open internet does not serve to us."""
    host = url.host or ""
    if url.scheme != "https":
        raise AddressRefused(f"{host} must be addressed by https.")
    if url.port is None or (url.port != 443 and url.port < _PRIVILEGED_PORTS_END):  # noqa: PLR2004
        raise AddressRefused(f"Port {url.port} of {host} is not one for https.")
    try:
        address = addresses.read(host)
    except ValueError as error:
        raise AddressRefused(f"The host is {error}; write it plainly.") from error
    if address is not None and not addresses.is_public(address):
        raise AddressRefused(f"{host} is not a public address; it is not opened.")


def spells_loopback(url: "URL") -> bool:
    """Whether the host is this machine, spelled as such."""
    host = (url.host or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = addresses.read(host)
    except ValueError:
        return False
    return address is not None and addresses.is_loopback(address)


def host_of(url: str) -> str:
    """The host, for a message."""
    from yarl import URL

    return URL(url).host or "the source"

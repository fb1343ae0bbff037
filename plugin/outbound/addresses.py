"""Which IP addresses a stranger's URL may lead to: public ones, however they are written."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_DEPRECATED = (
    IPv6Network("::/96"),  # IPv4-compatible: some stacks still route it to the IPv4 address
    IPv6Network("fec0::/10"),  # site-local: private, though RFC 3879 took its name away
    IPv6Network("2001::/32"),  # Teredo: the address it leads to is obfuscated, nobody needs it
    IPv6Network("3fff::/20"),  # documentation (RFC 9637), newer than some Pythons' tables
)


def read(host: str) -> Address | None:
    """The address that a host spells out, or None for a name.

    Raises `ValueError` for a zone id and for a spelling that resolvers read in different ways
    (`127.1`, `2130706433`, `0x7f.1`, `0177.0.0.1`): a last label that starts with a digit is meant
    as the end of an IPv4 address, for no top-level domain does (RFC 3696, section 2).
    """
    if "%" in host:
        raise ValueError("an address with a zone id")
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        if last[:1].isdigit():
            raise ValueError("an unusual spelling of an IP address") from None
        return None


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, looking inside IPv6 for embedded IPv4."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or any(address in network for network in _DEPRECATED):
            return False
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def is_loopback(address: Address) -> bool:
    """Whether an address is this machine's own, IPv4-mapped IPv6 included."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour

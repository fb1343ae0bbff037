from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.outbound.addresses import is_loopback, is_public, read

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]

INSIDE = [
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "127.255.0.9"),
    *("169.254.169.254", "0.0.0.0", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),  # noqa: S104 - refused, not bound
    *("255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
    *("fec0::1", "2001:db8::1", "3fff::1", "::127.0.0.1", "2001:0:a00:1::1"),
    *("::ffff:10.0.0.1", "::ffff:169.254.169.254", "2002:a00:1::", "2002:7f00:1::"),
    *("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::7f00:1", "fe80::1%1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_what_lies_inside_is_not_public_in_any_disguise(address: str) -> None:
    assert not is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_like_the_plain_one(address: object) -> None:
    plain = ip_address(str(address))
    for form in (f"::ffff:{plain}", f"64:ff9b::{plain}"):
        assert is_public(ip_address(form)) == is_public(plain)


def test_loopback_is_recognised_in_both_families() -> None:
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert is_loopback(ip_address(address))
    assert not is_loopback(ip_address("10.0.0.1"))


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "1.2.3"),
        *("fe80::1%eth0", "fe80::1%25eth0", "10.0.0.256"),
    ],
)
def test_an_address_in_an_odd_spelling_is_not_read(host: str) -> None:
    with pytest.raises(ValueError, match=r"spelling|zone"):
        read(host)


def test_plain_addresses_and_names_are_told_apart() -> None:
    assert read("8.8.8.8") == ip_address("8.8.8.8")
    assert read("[::1]") == ip_address("::1")
    for name in ("example.com", "example.com.", "3com.com", "localhost", "xn--r8jz45g.jp"):
        assert read(name) is None

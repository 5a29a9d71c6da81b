"""Which addresses are public and which texts are addresses, without any network."""

from __future__ import annotations

import ipaddress
import random

import pytest

from chime.security.addresses import NotAllowed, Place, is_public, may_call, safe_url
from tests.support.inside_addresses import INSIDE, OUTSIDE


@pytest.mark.parametrize("address", INSIDE)
def test_no_inside_address_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_addresses_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_what_python_calls_private_is_never_public() -> None:
    luck = random.Random("addresses")
    for _ in range(20_000):
        four = ipaddress.IPv4Address(luck.getrandbits(32))
        six = ipaddress.IPv6Address(luck.getrandbits(125) | 1 << 125)
        for address in (four, six):
            if not address.is_global or address.is_multicast or address.is_reserved:
                assert not is_public(address), address


def test_a_host_of_the_operator_may_be_inside_and_still_no_metadata_address() -> None:
    assert may_call(ipaddress.ip_address("192.168.1.9"), allowed=True)
    assert may_call(ipaddress.ip_address("fd12::9"), allowed=True)
    for never in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1", "0.0.0.0",
                  "::"):
        assert not may_call(ipaddress.ip_address(never), allowed=True), never


def test_what_is_allowed_comes_out_as_it_is_used() -> None:
    for text, told in (("https://Example.COM", "https://example.com/"), ("https://example.com:443/a", "https://example.com/a"),
                       ("https://bücher.example/", "https://xn--bcher-kva.example/"),
                       ("https://[2606:4700:0:0::1111]/x#y", "https://[2606:4700::1111]/x"),
                       ("https://example.com?q=1", "https://example.com/?q=1"), ("https://8.8.8.8", "https://8.8.8.8/")):
        assert str(safe_url(text)) == told
    inside = frozenset({Place("oidc", 8443)})
    assert str(safe_url("https://oidc:8443/x", inside)) == "https://oidc:8443/x"
    for other in ("https://oidc/x", "https://oidc:8444/x", "https://oidc.:8443/", "http://oidc:8443/x"):
        with pytest.raises(NotAllowed):
            safe_url(other, inside)


def test_what_could_break_a_request_is_refused() -> None:
    for text in ("https://" + "a" * 3_000, "https://exa\x00mple.com/", "https://example.com/\r\nX: y",
                 "https://example.com/ä"):
        with pytest.raises(NotAllowed):
            safe_url(text)

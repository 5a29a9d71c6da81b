"""RATE-4: whatever a caller claims, it is counted as who it is; only our own proxies are believed, from the right."""

from __future__ import annotations

import ipaddress
import random
from typing import Any

import pytest

from chime.config import load
from chime.errors import StartRefused
from chime.web.proxies import Proxies, counted_address

PROXY = "10.1.2.3"
NETWORKS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
CALLER = "203.0.113.7"
LIES = ("1.2.3.4", "127.0.0.1", "::1", PROXY, "10.9.9.9", "unknown", "_hidden", "", " ", "203.0.113.7",
        "2001:db8::1", "[2001:db8::1]:80", "1.2.3.4:99", "1.2.3.4, 5.6.7.8", ",", ",,,",
        "a" * 300, "1.2.3.4\t", '"1.2.3.4"', "::ffff:10.0.0.1", "fe80::1%eth0",
        "0x7f.1", "127.1", "٣.٣.٣.٣", "\x00", "1.2.3.4;by=x", "for=1.2.3.4", ", ".join(["10.0.0.1"] * 400))
NAMES = ("X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR", "Forwarded", "X-Real-IP", "X-Client-IP",
         "True-Client-IP", "CF-Connecting-IP", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-Forwarded-For",
         "Via", "Client-IP", "X-Cluster-Client-IP")


def _scope(peer: str, headers: list[tuple[str, str]]) -> Any:
    raw = [(name.lower().encode(), value.encode("utf-8", "replace")) for name, value in headers]
    return {"type": "http", "client": (peer, 5_000), "scheme": "http", "headers": raw}


def _forged(luck: random.Random) -> list[tuple[str, str]]:
    return [(luck.choice(NAMES), ", ".join(luck.choice(LIES) for _ in range(luck.randrange(1, 5))))
            for _ in range(luck.randrange(1, 6))]


async def _told(proxies: Proxies, scope: Any) -> tuple[str, str]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal seen
        seen = (scope["client"][0], scope["scheme"])

    seen = ("", "")
    await proxies.before(app)(scope, None, None)  # type: ignore[arg-type]
    assert proxies.caller(_scope(scope["client"][0], [])) == seen[0] or scope["client"][1] == 5_000
    return seen


async def test_rate_4_two_thousand_forged_sets_change_nothing_without_a_proxy() -> None:
    luck = random.Random("rate 4")
    for proxies in (Proxies(()), Proxies(NETWORKS)):
        for _ in range(1_000):
            scope = _scope(CALLER, _forged(luck))
            assert proxies.caller(scope) == CALLER
            assert await _told(proxies, scope) == (CALLER, "http")


async def test_rate_4_two_thousand_forged_sets_change_nothing_behind_a_proxy() -> None:
    """The proxy appends the peer it saw, as nginx and Caddy do; all before it was written by the caller."""
    luck = random.Random("behind")
    proxies = Proxies(NETWORKS)
    for _ in range(2_000):
        forged = [(name, value) for name, value in _forged(luck) if name.lower() != "x-forwarded-proto"]
        headers = [*forged, ("X-Forwarded-For", CALLER), ("X-Forwarded-Proto", "https")]
        if luck.random() < 0.5:
            # One header with everything, as proxies that append to the last one send it.
            lies = ", ".join(value for name, value in forged if name.lower() == "x-forwarded-for")
            headers = [pair for pair in forged if pair[0].lower() != "x-forwarded-for"]
            headers += [("X-Forwarded-For", f"{lies}, {CALLER}"), ("X-Forwarded-Proto", "https")]
        scope = _scope(PROXY, headers)
        assert proxies.caller(scope) == CALLER, headers
        assert await _told(proxies, scope) == (CALLER, "https")


@pytest.mark.parametrize(("peer", "claimed", "caller"), [
    (PROXY, "", PROXY),
    (PROXY, "198.51.100.9", "198.51.100.9"),
    (PROXY, "1.1.1.1, 198.51.100.9, 10.0.0.9", "198.51.100.9"),
    (PROXY, "10.0.0.8, 10.0.0.9", "10.0.0.8"),
    (PROXY, "198.51.100.9, unknown", PROXY),
    (PROXY, "198.51.100.9, 10.0.0.9, nonsense", PROXY),
    (PROXY, "198.51.100.9:4711", "198.51.100.9"),
    (PROXY, "[2001:db8::5]:4711", "2001:db8::5"),
    (PROXY, "2001:db8::5", "2001:db8::5"),
    ("fd00::1", "::ffff:198.51.100.9", "198.51.100.9"),
    ("::ffff:10.1.2.3", "198.51.100.9", "198.51.100.9"),
    ("11.1.2.3", "198.51.100.9", "11.1.2.3"),
])
async def test_the_list_is_walked_from_the_right(peer: str, claimed: str, caller: str) -> None:
    scope = _scope(peer, [("X-Forwarded-For", claimed)] if claimed else [])
    assert Proxies(NETWORKS).caller(scope) == caller
    if peer.startswith(("10.", "fd")):
        assert (await _told(Proxies(NETWORKS), scope))[0] == caller


async def test_only_a_proxy_says_that_it_was_https() -> None:
    headers = [("X-Forwarded-For", CALLER), ("X-Forwarded-Proto", "https")]
    assert (await _told(Proxies(NETWORKS), _scope(PROXY, headers)))[1] == "https"
    assert (await _told(Proxies(NETWORKS), _scope(CALLER, headers)))[1] == "http"
    for odd in ("gopher", "https,gopher", "HTTPS ;x", ""):
        scope = _scope(PROXY, [("X-Forwarded-For", CALLER), ("X-Forwarded-Proto", odd)])
        assert (await _told(Proxies(NETWORKS), scope))[1] == "http", odd


def test_one_network_of_ipv6_counts_as_one_caller() -> None:
    assert counted_address("2001:db8:1:2::1") == counted_address("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert counted_address("2001:db8:1:3::1") != counted_address("2001:db8:1:2::1")
    assert counted_address("198.51.100.9") == "198.51.100.9" and counted_address("nonsense") == ""


def test_nobody_is_trusted_unless_named_and_never_everybody() -> None:
    assert load(environment={}).trusted_proxies == ()
    found = load(environment={"CHIME_TRUSTED_PROXIES": "127.0.0.1/32, ::1/128"}).trusted_proxies
    assert [str(network) for network in found] == ["127.0.0.1/32", "::1/128"]
    for everybody in ("0.0.0.0/0", "::/0", "10.0.0.0/8, 0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1", "::/1, 8000::/1",
                      "localhost", "10.0.0.1/8"):
        with pytest.raises(StartRefused, match="CHIME_TRUSTED_PROXIES"):
            load(environment={"CHIME_TRUSTED_PROXIES": everybody})

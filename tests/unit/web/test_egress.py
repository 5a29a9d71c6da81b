"""SSRF-1..5: whatever address somebody writes, and wherever it leads on to, nothing inside is reached.

Connections are observed by the interpreter's own audit event, below every library.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import ssl

import pytest

from chime.errors import ChimeError
from chime.security.addresses import NotAllowed
from chime.web.egress import Egress, Unreachable, checked_headers
from tests.support.hostile_server import connections_watched, http
from tests.support.inside_addresses import INSIDE, PUBLIC, corpus
from tests.unit.web.egress_yard import Yard


async def test_ssrf_1_no_address_of_the_corpus_opens_a_connection_inside() -> None:
    """Names resolve for real where they can; what would go outside is caught before it leaves."""
    texts = list(corpus())
    assert len(texts) > 1_150

    async def resolve(host: str, port: int) -> list[str]:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            # As the resolver of an attacker's own zone, or of an office whose names lead inside.
            return ["127.0.0.1"]
        return [host]

    egress = Egress(resolve=resolve, total=2)
    with connections_watched() as seen:
        for text in texts:
            with pytest.raises(ChimeError):
                await egress.fetch(text)
    assert not seen, seen


async def test_ssrf_1_a_name_is_refused_when_any_of_its_addresses_is_inside() -> None:
    tls = ssl.create_default_context()
    for inside in INSIDE:
        for answers in ([inside], [PUBLIC, inside], [inside, PUBLIC]):
            async def resolve(_: str, __: int, answers: list[str] = answers) -> list[str]:
                return answers

            with connections_watched() as seen, pytest.raises(Unreachable):
                await Egress(resolve=resolve, tls=tls).fetch("https://hostile.example/")
            assert not seen, answers


async def _rebinding(tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSRF-2: DNS that says another thing each time it is asked."""
    asked = 0

    async def resolve(_: str, __: int) -> list[str]:
        nonlocal asked
        asked += 1
        return [PUBLIC] if asked % 2 else ["127.0.0.1"]

    reached: list[str] = []

    async def connect(self: object, host: str, port: int, **_: object) -> None:
        import httpcore

        reached.append(host)
        raise httpcore.ConnectError("as far as this goes")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    egress = Egress(resolve=resolve, tls=ssl.create_default_context())
    with connections_watched() as seen:
        for number in range(tries):
            with pytest.raises(Unreachable):
                await egress.fetch("https://rebinding.example/")
            assert asked == number + 1, "one look a request, and what it said is what is connected to"
    assert set(reached) == {PUBLIC} and len(reached) == (tries + 1) // 2 and not seen


async def test_ssrf_2_dns_that_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    await _rebinding(400, monkeypatch)


@pytest.mark.nightly
async def test_ssrf_2_dns_that_flips_ten_thousand_times(monkeypatch: pytest.MonkeyPatch) -> None:
    await _rebinding(10_000, monkeypatch)


async def test_a_plain_request_keeps_its_name_in_tls_and_host(yard: Yard) -> None:
    yard.server.answer(http(200, b"hello", X_Thing="one"))
    with connections_watched() as seen:
        answer = await yard.egress.fetch(yard.url + "a?b=c", method="POST", headers={"X-Custom": "yes"}, body=b"{}")
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (200, b"hello", "one")
    assert seen == [("127.0.0.1", yard.server.port)]
    assert yard.server.names == ["hostile.example"]
    head = yard.server.requests[0]
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n") and head.endswith(b"\r\n\r\n{}")
    assert f"\r\nHost: hostile.example:{yard.server.port}\r\n".encode() in head and b"\r\nX-Custom: yes\r\n" in head


async def test_a_certificate_of_somebody_else_is_no_connection(yard: Yard) -> None:
    yard.server.answer(http(200))
    with pytest.raises(Unreachable):
        await yard.client(ssl.create_default_context()).fetch(yard.url)
    assert not yard.server.requests


async def test_the_environment_names_no_proxy(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    yard.server.answer(http(200, b"direct"))
    assert (await yard.egress.fetch(yard.url)).body == b"direct"


TARGETS = ("http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data/",
           "//127.0.0.1/", "https://inside/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "https://user@other.example/",
           "https://0x7f.1/", "https://10.0.0.1:8443/", "\\\\127.0.0.1\\", "https://hostile.example:22/", "ftp://other.example/",
           "https://[::ffff:127.0.0.1]/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_ssrf_3_no_redirect_leads_inside(yard: Yard, status: int) -> None:
    """With and without leave to follow, at the first step and at the second: 5 × 15 × 4 chains."""
    for target in TARGETS:
        for redirects in (0, 1, 2):
            yard.server.answer(http(status, Location=target))
            with connections_watched() as seen:
                if redirects:
                    with pytest.raises(ChimeError):
                        await yard.egress.fetch(yard.url, redirects=redirects)
                else:
                    assert (await yard.egress.fetch(yard.url)).status == status
            assert seen == [("127.0.0.1", yard.server.port)], target
        await _second_step(yard, status, target)


async def _second_step(yard: Yard, status: int, target: str) -> None:
    steps = [http(status, Location=yard.other), http(status, Location=target)]

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(steps.pop(0))

    yard.server.behave = behave
    with connections_watched() as seen, pytest.raises(ChimeError):
        await yard.egress.fetch(yard.url, redirects=2)
    assert len(seen) == 2 and not steps, target


async def test_a_redirect_that_may_be_followed_gets_no_credentials(yard: Yard) -> None:
    steps = [http(302, Location=yard.other + "next"), http(200, b"there")]

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(steps.pop(0))

    yard.server.behave = behave
    secrets = {"Authorization": "Bearer canary", "X-Key": "canary"}
    answer = await yard.egress.fetch(yard.url, headers=secrets, redirects=2)
    assert answer.body == b"there" and answer.url == yard.other + "next"
    assert b"canary" in yard.server.requests[0] and b"canary" not in yard.server.requests[1]


async def test_a_third_redirect_is_not_followed(yard: Yard) -> None:
    yard.server.answer(http(302, Location=yard.url))
    assert (await yard.egress.fetch(yard.url, redirects=2)).status == 302
    assert len(yard.server.requests) == 3
    with pytest.raises(NotAllowed):
        await yard.egress.fetch(yard.url, redirects=3)


OURS = ("Host", "host", "HOST", "Proxy-Authorization", "Proxy-Connection", "X-Forwarded-For", "X-Forwarded-Host",
        "x-forwarded-anything", "Transfer-Encoding", "Content-Length", "Connection", "Upgrade", "TE", "Trailer",
        "Expect",
        "Forwarded", "Via", "Keep-Alive", "X-Real-IP", "Accept-Encoding", "Content-Encoding", "Sec-Fetch-Site",
        "X-HTTP-Method-Override")


def _header_pair(luck: random.Random) -> tuple[str, str]:
    poison = ("\r\n", "\n", "\r", "\0", "\x0b", "\x85", "\u2028", ":", " ", "é", "\x7f",
              "\t\r\nX: y", "Host", "\r\n\r\nGET / HTTP/1.1")
    name = "X-" + "".join(luck.choice("abcXYZ019-") for _ in range(luck.randrange(1, 12)))
    value = "".join(luck.choice("abc =;,\"'/?%") for _ in range(luck.randrange(20)))
    kind = luck.randrange(4)
    if kind == 0:
        place = luck.randrange(len(name) + 1)
        name = name[:place] + luck.choice(poison) + name[place:]
    elif kind == 1:
        place = luck.randrange(len(value) + 1)
        value = value[:place] + luck.choice(poison) + value[place:]
    elif kind == 2:
        name = luck.choice(OURS)
    return name, value


def test_ssrf_4_headers_that_decide_where_a_request_goes_are_ours() -> None:
    for name in OURS:
        with pytest.raises(NotAllowed):
            checked_headers({name: "x"})
    for twice in ({"X-A": "1", "x-a": "2"}, {f"X-{number}": "" for number in range(40)}, {"X": "y" * 5_000}, {"": "x"}):
        with pytest.raises(NotAllowed):
            checked_headers(twice)


def test_ssrf_4_five_thousand_header_pairs_are_one_line_each_or_refused() -> None:
    luck = random.Random("headers")
    passed, ours = 0, {name.lower().encode() for name in OURS}
    for _ in range(5_000):
        name, value = _header_pair(luck)
        try:
            ((sent_name, sent_value),) = checked_headers({name: value})
        except NotAllowed:
            continue
        passed += 1
        assert sent_name.decode().replace("-", "").isalnum() and sent_name.lower() not in ours
        assert not set(sent_value) & set(b"\r\n\0\x0b\x7f") and sent_value.isascii()
    assert 1_000 < passed < 3_000


async def test_ssrf_5_on_the_wire_stands_what_was_meant(yard: Yard) -> None:
    """The bytes that arrive, of the pairs that pass."""
    luck = random.Random("wire")
    yard.server.answer(http(204))
    wanted = []
    while len(wanted) < 40:
        name, value = _header_pair(luck)
        try:
            checked_headers({name: value})
        except NotAllowed:
            continue
        wanted.append((name, value))
        await yard.egress.fetch(yard.url, headers={name: value})
    for (name, value), raw in zip(wanted, yard.server.requests, strict=True):
        lines = raw.split(b"\r\n")
        assert lines[0] == b"GET / HTTP/1.1" and lines[-2:] == [b"", b""] and len(lines) == 7
        assert lines.count(f"{name}: {value.strip()}".encode()) == 1
        hosts = [line for line in lines if line.lower().startswith(b"host:")]
        assert hosts == [f"Host: hostile.example:{yard.server.port}".encode()]

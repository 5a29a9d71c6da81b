"""Looking at ourselves from outside: one request to the public address, as Meta and browsers make it.

This is no general client: it goes to CHIME_PUBLIC_URL and nowhere else, over its own connection, so that the
certificate can be looked at even where it is not believed.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol
from urllib.parse import urlsplit

import httptools
import msgspec

from chime.checked import Check, bad, doubtful, good, skipped, words
from chime.clock import DAY, SECOND
from chime.doctor.ground import Ground
from chime.inbound import self_test
from chime.security.signatures import signature
from chime.web.egress import trusted_authorities

SECONDS = 10.0
LARGEST_ANSWER = 64 * 1024
WARN_DAYS, FAIL_DAYS = 21, 7
# Of a network that is for examples only: nobody comes from there.
MADE_UP = "198.51.100.77"
_REFUSED = frozenset({401, 403, 429})


class NotReached(Exception):
    """No answer; the text says why, for operators."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class Heard(Protocol):
    """What hears an answer: httptools calls its other methods, as far as it has them."""

    is_whole: bool


class _Reader:
    """What httptools tells while it reads."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.is_whole = True


def is_https(ground: Ground) -> bool:
    return ground.config.public_url.startswith("https://")


async def ask(ground: Ground, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b""
              ) -> Answer:
    """Raises NotReached."""
    heard = _Reader()
    head = _head(ground, method, path, {"Content-Length": str(len(body)), **(headers or {})})
    return Answer(await _talk(ground, head + body, heard), heard.headers, heard.body)


async def listen(ground: Ground, path: str, heard: Heard) -> int:
    """A GET as browsers ask for live updates, told piece by piece as it comes; its status. Raises NotReached."""
    return await _talk(ground, _head(ground, "GET", path, {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}),
                       heard)


def _head(ground: Ground, method: str, path: str, headers: dict[str, str]) -> bytes:
    where = urlsplit(ground.config.public_url)
    lines = {"Host": where.netloc, "User-Agent": "Chime doctor", "Connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {where.path.rstrip('/')}{path} HTTP/1.1\r\n{head}\r\n".encode()


async def _talk(ground: Ground, told: bytes, heard: Heard) -> int:
    try:
        async with asyncio.timeout(SECONDS):
            return await _exchange(ground, told, heard)
    except TimeoutError:
        raise NotReached("no answer in ten seconds") from None
    except ssl.SSLError as error:
        raise NotReached(f"TLS: {_reason(error)}") from None
    except OSError as error:
        raise NotReached(error.strerror or type(error).__name__) from None
    except httptools.HttpParserError:
        raise NotReached("what answers does not speak HTTP") from None


async def _exchange(ground: Ground, told: bytes, heard: Heard) -> int:
    where = urlsplit(ground.config.public_url)
    is_secure = where.scheme == "https"
    reader, writer = await asyncio.open_connection(
        where.hostname, where.port or (443 if is_secure else 80), ssl=_context(ground) if is_secure else None)
    parser, size = httptools.HttpResponseParser(heard), 0
    try:
        # Not waited for: who refuses a large body answers before all of it is there.
        writer.write(told)
        while not heard.is_whole and size <= LARGEST_ANSWER and (part := await _part(reader, parser)):
            size += len(part)
            parser.feed_data(part)
        status: int = parser.get_status_code()
        if not status:
            raise NotReached("no answer")
        return status
    finally:
        writer.transport.abort()


async def _part(reader: asyncio.StreamReader, parser: httptools.HttpResponseParser) -> bytes:
    """Empty at the end, which a refusal may come to by a reset."""
    try:
        return await reader.read(16_384)
    except ConnectionError:
        if parser.get_status_code():
            return b""
        raise


def _context(ground: Ground) -> ssl.SSLContext:
    return ground.tls or trusted_authorities()


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return str(error.reason or "no connection").replace("_", " ").lower()


async def certificate(ground: Ground) -> Check:
    """Chain, name and days left, as a browser sees them. Whether this certificate is believed is asked of the machine
    that runs Chime."""
    name = words("certificate")
    if not is_https(ground):
        return skipped(name, words("the public address is not https"))
    where = urlsplit(ground.config.public_url)
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(where.hostname, where.port or 443, ssl=_context(ground))
            found = writer.get_extra_info("peercert")
            writer.transport.abort()
    except ssl.SSLCertVerificationError as error:
        return bad(name, words("browsers and Meta refuse it: %(reason)s"),
                   words("Look at the reverse proxy's log of its certificate: it must name this host, be renewed, and "
                         "come with its whole chain."), reason=str(error.verify_message))
    except (OSError, TimeoutError) as error:
        reason = "no answer" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or "no connection"
        return bad(name, words("the public address does not answer: %(reason)s"),
                   words("Does the reverse proxy run, does its name lead to it, and does a firewall let this server "
                         "reach it?"), reason=str(reason))
    days = int((ssl.cert_time_to_seconds(found["notAfter"]) * SECOND - ground.clock.real_now()) // DAY)
    advice = words("Renew it: the reverse proxy's log says why that did not happen by itself.")
    if days < FAIL_DAYS:
        return bad(name, words("it ends in %(days)s days"), advice, days=max(0, days))
    if days < WARN_DAYS:
        return doubtful(name, words("it ends in %(days)s days"), advice, days=days)
    return good(name, words("believed, and good for %(days)s more days"), days=days)


async def headers(ground: Ground) -> Check:
    """Whether Chime knows that people come over https: only then it says HSTS and makes cookies Secure."""
    name = words("https at the proxy")
    if not is_https(ground):
        return skipped(name, words("the public address is not https"))
    try:
        answer = await ask(ground, "GET", "/healthz")
    except NotReached as error:
        return bad(name, words("the public address does not answer: %(reason)s"),
                   words("Does the reverse proxy run, and does it lead to this Chime?"), reason=str(error))
    if answer.status != 200 or answer.body != b"ok\n":
        return bad(name, words("something else than this Chime answers at the public address (status %(status)s)"),
                   words("Let the reverse proxy send everything to CHIME_BIND."), status=answer.status)
    if "max-age=" not in answer.headers.get("strict-transport-security", ""):
        return bad(name, words("Chime does not know that people come over https, so it says no HSTS"),
                   words("Let the proxy set X-Forwarded-Proto, and name its address in CHIME_TRUSTED_PROXIES."))
    return good(name, words("HSTS is said, cookies are Secure"))


class RoundTrip(msgspec.Struct, frozen=True):
    """What became of a webhook that we posted to ourselves. `trouble` is empty when it came back as it should."""

    trouble: str = ""
    advice: str = ""
    reason: str = ""
    believes: bool = False
    """An address that we made up counted, and the proxy had not put ours in its place"""


_TRIPS = {
    "altered": (words("the signature does not hold after the way through the public address"),
                words("Something in between changes the body. Let the proxy pass it on byte by byte: no filter, no "
                      "rewriting of JSON.")),
    "elsewhere": (words("another server answers at our webhook address (%(reason)s)"),
                  words("Let the reverse proxy send /webhooks/ to CHIME_BIND.")),
    "unchecked": (words("a webhook with a wrong signature was not refused (%(reason)s)"),
                  words("Another server answers at our webhook address: let the proxy send /webhooks/ to CHIME_BIND.")),
    "unreached": (words("our webhook address cannot be reached: %(reason)s"),
                  words("Does the reverse proxy run, and does a firewall let this server and Meta reach it?")),
}


async def round_trip(ground: Ground, app_key: str, secret: bytes) -> RoundTrip:
    """A signed self-test through the public address must come back, one with a wrong signature must not."""
    path, body = f"/webhooks/whatsapp/{app_key}", self_test.body(ground.ids.code(20))
    try:
        answer = await _post(ground, path, body, signature(secret, body))
        if answer.status in _REFUSED:
            return _trip("altered")
        read = self_test.read(secret, body, answer.body)
        if answer.status != 200 or read is None:
            return _trip("elsewhere", f"status {answer.status}")
        wrong = await _post(ground, path, body, signature(secret + b"?", body))
    except NotReached as error:
        return _trip("unreached", str(error))
    if wrong.status not in _REFUSED:
        return _trip("unchecked", f"status {wrong.status}")
    return RoundTrip(believes=read.caller == read.last_hop == MADE_UP)


def _trip(kind: str, reason: str = "") -> RoundTrip:
    trouble, advice = _TRIPS[kind]
    return RoundTrip(trouble, advice, reason)


async def _post(ground: Ground, path: str, body: bytes, signed: str) -> Answer:
    return await ask(ground, "POST", path, body=body, headers={
        "Content-Type": "application/json", "X-Hub-Signature-256": signed, "X-Forwarded-For": MADE_UP})


def signature_check(ground: Ground, trip: RoundTrip | None) -> Check:
    name = words("signature round trip")
    if trip is None or not ground.config.public_url:
        return skipped(name, words("CHIME_PUBLIC_URL is not set, so our own address is not known"))
    if trip.trouble:
        return bad(name, trip.trouble, trip.advice, reason=trip.reason)
    return good(name, words("a signed webhook comes through, one with a wrong signature is refused"))


def forwarded(ground: Ground, trip: RoundTrip | None) -> Check:
    """Whether a stranger can claim another address: the round trip claimed one."""
    name = words("forwarded addresses")
    if trip is None or trip.trouble or not is_https(ground):
        return skipped(name, words("tried together with the webhook address of a number"))
    if trip.believes:
        return bad(name, words("whoever comes may claim any address"),
                   words("Let the proxy overwrite X-Forwarded-For, or add the address of whoever came at its end."))
    return good(name, words("an address that somebody makes up is not believed"))

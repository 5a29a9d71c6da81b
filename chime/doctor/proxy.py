"""What the reverse proxy lets through, tried through the public address: old TLS not, large webhooks, live updates
piece by piece, and security.txt as it stands here.

Nothing is stored or changed by it. Where the public address does not lead here at all, that is said elsewhere
(`chime.doctor.outside`), and these are skipped.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from chime.checked import Check, bad, doubtful, good, skipped, words
from chime.clock import DAY, SECOND
from chime.doctor import outside, stream_test
from chime.doctor.ground import Ground
from chime.doctor.outside import SECONDS, Answer, NotReached
from chime.inbound import self_test
from chime.security.signatures import signature

# Meta's bodies have 3 MB at most; 4 MB are what the proxies' examples let through.
LARGE = 4_000_000
EXPIRES_SOON_DAYS = 30
_OLD, _NEW = ((ssl.TLSVersion.TLSv1, "1.0"), (ssl.TLSVersion.TLSv1_1, "1.1")), (
    (ssl.TLSVersion.TLSv1_2, "1.2"), (ssl.TLSVersion.TLSv1_3, "1.3"))
# What else than our answer tells nothing of the size: said by other checks, or over in a moment.
_OTHER_REASONS = frozenset({401, 403, 429, 503})
_NOT_HERE = words("the public address does not lead to this Chime")


async def checks(ground: Ground, app: tuple[str, bytes] | None) -> list[Check]:
    """`app` is the key and secret of some Meta app that is connected."""
    found = [await tls_versions(ground)]
    if not await _leads_here(ground):
        return found + [skipped(name, _NOT_HERE) for name in (_LARGE, _STREAMS, _CONTACT)]
    return [*found, await large_webhooks(ground, app), await streams(ground), await contact_file(ground)]


async def _leads_here(ground: Ground) -> bool:
    with suppress(NotReached):
        answer = await outside.ask(ground, "GET", "/healthz")
        return answer.status == 200 and answer.body == b"ok\n"
    return False


async def tls_versions(ground: Ground) -> Check:
    """Which versions a browser could come with. Whether the certificate is believed is another question."""
    name = words("TLS versions")
    if not outside.is_https(ground):
        return skipped(name, words("the public address is not https"))
    new = [text for version, text in _NEW if await _offers(ground, version)]
    if not new:
        return skipped(name, words("no connection with TLS 1.2 or 1.3"))
    old = [text for version, text in _OLD if await _offers(ground, version)]
    if old:
        return bad(name, words("offered: %(versions)s; of these %(old)s can be broken"),
                   words("Let the reverse proxy refuse what is older than TLS 1.2 (nginx: ssl_protocols TLSv1.2 "
                         "TLSv1.3)."), versions=", ".join(old + new), old=", ".join(old))
    if len(new) < len(_NEW):
        return doubtful(name, words("offered: %(versions)s only"),
                        words("Let the reverse proxy offer TLS 1.2 and 1.3: some of Meta's servers and some phones "
                              "know only one of them."), versions=", ".join(new))
    return good(name, words("offered: %(versions)s; older ones are refused"), versions=", ".join(new))


async def _offers(ground: Ground, version: ssl.TLSVersion) -> bool:
    """Whether a handshake of just this version succeeds. Nothing is sent over it."""
    where = urlsplit(ground.config.public_url)
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(where.hostname, where.port or 443, ssl=_of_version(version))
            writer.transport.abort()
    except (OSError, TimeoutError, ValueError):  # ValueError: this machine's own library knows it no more
        return False
    return True


def _of_version(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3
        context.minimum_version = context.maximum_version = version
    return context


_LARGE = words("large webhooks")


async def large_webhooks(ground: Ground, app: tuple[str, bytes] | None) -> Check:
    """A signed self-test as large as a webhook may be must come back."""
    if app is None:
        return skipped(_LARGE, words("tried together with the webhook address of a number"))
    app_key, secret = app
    body = self_test.body(ground.ids.code(20).ljust(LARGE, "."))
    advice = words("Let the proxy pass on bodies of at least 4 MB below /webhooks/ (nginx: client_max_body_size 4m): "
                   "Meta sends several events in one.")
    try:
        answer = await outside.ask(ground, "POST", f"/webhooks/whatsapp/{app_key}", body=body, headers={
            "Content-Type": "application/json", "X-Hub-Signature-256": signature(secret, body)})
    except NotReached as error:
        return bad(_LARGE, words("4 MB do not come through: %(reason)s"), advice, reason=str(error))
    if answer.status == 200 and self_test.read(secret, body, answer.body) is not None:
        return good(_LARGE, words("4 MB come through"))
    if answer.status in _OTHER_REASONS:
        return skipped(_LARGE, words("could not be tried (status %(status)s)"), status=answer.status)
    return bad(_LARGE, words("4 MB do not come through: %(reason)s"), advice, reason=f"status {answer.status}")


_STREAMS = words("live updates")


class _Pieces:
    """When the first and the last piece of a body came."""

    def __init__(self) -> None:
        self.kind = ""
        self.first = self.last = 0.0
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.kind = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.last = asyncio.get_running_loop().time()
        self.first = self.first or self.last

    def on_message_complete(self) -> None:
        self.is_whole = True


async def streams(ground: Ground) -> Check:
    """Whether what Chime says now is there now, or when the proxy has gathered enough of it."""
    path = stream_test.address(ground.control.keys.links, ground.ids, ground.clock.real_now())
    heard = _Pieces()
    try:
        status = await outside.listen(ground, path, heard)
    except NotReached as error:
        return skipped(_STREAMS, words("could not be tried: %(reason)s"), reason=str(error))
    if status != 200 or not heard.kind.startswith("text/event-stream") or not heard.is_whole:
        return skipped(_STREAMS, words("could not be tried (status %(status)s)"), status=status)
    if heard.last - heard.first < stream_test.PAUSE / 3:
        return bad(_STREAMS, words("the proxy holds them back: pages get them late or never"),
                   words("Let the proxy pass on /w/…/events at once, uncompressed (nginx: proxy_buffering off and gzip "
                         "off)."))
    return good(_STREAMS, words("come through at once"))


_CONTACT = words("security.txt from outside")


async def contact_file(ground: Ground) -> Check:
    """RFC 9116: what a finder of a hole gets. A copy that the proxy serves grows old by itself."""
    if not ground.config.security_contact:
        return skipped(_CONTACT, words("CHIME_SECURITY_CONTACT is not set"))
    advice = words("Let the proxy send /.well-known/security.txt to Chime, which keeps it fresh by itself.")
    try:
        answer = await outside.ask(ground, "GET", "/.well-known/security.txt")
    except NotReached as error:
        return bad(_CONTACT, words("cannot be fetched: %(reason)s"), advice, reason=str(error))
    until = _expires(answer)
    if answer.status != 200 or until is None:
        return bad(_CONTACT, words("is not there, or does not say until when it holds (status %(status)s)"), advice,
                   status=answer.status)
    days = int((until - ground.clock.real_now()) // DAY)
    if days < 0:
        return bad(_CONTACT, words("has expired: whoever finds a hole takes it for abandoned"), advice)
    if days < EXPIRES_SOON_DAYS:
        return doubtful(_CONTACT, words("expires in %(days)s days"), advice, days=days)
    return good(_CONTACT, words("is there, and holds for %(days)s more days"), days=days)


def _expires(answer: Answer) -> int | None:
    for line in answer.body.decode("utf-8", "replace").splitlines():
        field, _, value = line.partition(":")
        if field.strip().lower() == "expires":
            with suppress(ValueError):
                return int(datetime.fromisoformat(value.strip()).timestamp() * SECOND)
    return None

"""Handing one mail to the mail server. Promise: mails and the password travel inside TLS, but for a server on this
machine that the operator named so; what somebody typed cannot become a header or a command.

smtplib is blocking; it runs in a thread of its own that nobody waits for when the process ends.
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
import threading
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TypeVar

import idna
import msgspec

from chime.clock import as_datetime
from chime.config import MailServer
from chime.errors import ChimeError, Invalid
from chime.web.egress import trusted_authorities

T = TypeVar("T")
SECONDS = 20.0
LONGEST_NAME = 64
LONGEST_SUBJECT = 150
LONGEST_TEXT = 100_000
# The dot-atom of RFC 5321: quoted local parts exist and nobody has one.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class NotTaken(ChimeError):
    """The server did not take the mail. `for_good` when asking again is of no use."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as it is kept until it is sent."""

    to: str
    name: str
    subject: str
    text: str
    html: str = ""


def address(text: str) -> str:
    """An email address as a server takes it. Raises Invalid."""
    local, _, host = text.strip().rpartition("@")
    try:
        host = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        host = ""
    if len(local) > 64 or not _LOCAL.fullmatch(local) or not _HOST.fullmatch(host):
        raise Invalid.field("email", "This is not an email address.")
    return f"{local}@{host}"


def one_line(text: str, most: int) -> str:
    """What may stand in a header: no line breaks, nothing unseen, not for ever."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    plain = plain.encode("utf-8", "replace").decode()
    # Python's writer of headers decodes what looks encoded, line breaks included (CVE-2024-6923).
    return " ".join(plain.replace("=?", "= ?").split())[:most].strip()


def message(mail: Mail, *, sender: str, mail_id: str, at: int) -> bytes:
    """The mail on the wire. The same mail gets the same Message-ID whenever it is tried."""
    made = EmailMessage(policy=SMTP)
    made["From"] = Address("Chime", addr_spec=sender)
    made["To"] = Address(one_line(mail.name, LONGEST_NAME), addr_spec=address(mail.to))
    made["Subject"] = one_line(mail.subject, LONGEST_SUBJECT)
    made["Date"] = format_datetime(as_datetime(at))
    made["Message-ID"] = f"<{mail_id}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"
    text = mail.text[:LONGEST_TEXT].replace("\0", "").encode("utf-8", "replace").decode()
    made.set_content("\n".join(text.splitlines()) + "\n", cte="quoted-printable")
    if mail.html:
        made.add_alternative("\n".join(mail.html[:LONGEST_TEXT].splitlines()) + "\n", subtype="html",
                             cte="quoted-printable")
    raw = made.as_bytes()
    lines = re.split(rb"\r\n|\r|\n", raw.partition(b"\r\n\r\n")[0])
    if [line.partition(b":")[0].decode() for line in lines if line[:1] not in (b" ", b"\t")] != made.keys():
        raise Invalid.field("email", "This mail cannot be written.")
    return raw


async def deliver(server: MailServer, sender: str, to: str, body: bytes, tls: ssl.SSLContext | None = None) -> None:
    """Raises NotTaken."""
    await _in_thread(lambda: _deliver(server, sender, to, body, tls or trusted_authorities()))


def _deliver(server: MailServer, sender: str, to: str, body: bytes, tls: ssl.SSLContext) -> None:
    try:
        with _connected(server, sender.rpartition("@")[2], tls) as connection:
            if server.user:
                connection.login(server.user, server.password)
            connection.sendmail(sender, [to], body)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise NotTaken(f"recipient refused ({codes[0] if codes else 0})", for_good=_for_good(codes)) from None
    except smtplib.SMTPAuthenticationError as error:
        # The operator will mend it; the mail waits.
        raise NotTaken(f"sign-in refused ({error.smtp_code})", for_good=False) from None
    except smtplib.SMTPNotSupportedError:
        raise NotTaken("the server offers no TLS, or no sign-in", for_good=False) from None
    except smtplib.SMTPDataError as error:
        raise NotTaken(f"content refused ({error.smtp_code})", for_good=_for_good([error.smtp_code])) from None
    except smtplib.SMTPResponseException as error:
        raise NotTaken(f"refused ({error.smtp_code})", for_good=False) from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotTaken(type(error).__name__, for_good=False) from None


def _connected(server: MailServer, own_name: str, tls: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=SECONDS, context=tls)
    connection = smtplib.SMTP(server.host, server.port, own_name, timeout=SECONDS)
    if server.security == "starttls":
        try:
            connection.starttls(context=tls)
        except BaseException:
            connection.close()
            raise
    return connection


def _for_good(codes: list[int]) -> bool:
    return bool(codes) and all(500 <= code < 600 for code in codes)


async def _in_thread(work: Callable[[], T]) -> T:
    """Not the loop's own threads: the process would wait for those when it ends, and a server may keep us waiting."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(setter: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if done.done() else setter())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # it belongs to whoever awaits
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(result))

    threading.Thread(target=run, name="mail", daemon=True).start()
    return await done

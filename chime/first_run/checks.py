"""The live checks of the wizard: does the public address lead back to us, does the mail server take a mail.

Whoever asks has the token, and names the address: even so they learn whether it is ours and nothing else of what
answers there.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import msgspec

from chime.config import Config
from chime.errors import ChimeError, Invalid, StartRefused
from chime.first_run.desk import Desk
from chime.first_run.model import Draft, as_invalid
from chime.security.addresses import NotAllowed
from chime.security.addresses import Place as Target
from chime.web import smtp
from chime.web.egress import Answer, NotInTime, Unreachable
from chime.web.smtp import Mail, NotTaken
from chime.workspaces.kept_settings import checked, with_settings

REACHED = "/setup/reached/"


class Finding(msgspec.Struct, frozen=True):
    """What a check found: `state` is good, warn or bad; the words for `code` stand in the template."""

    state: str
    code: str
    value: str = ""


def settings_of(config: Config, draft: Draft) -> Config:
    """The options as the appliance will have them. Raises Invalid naming the field."""
    try:
        checked(draft.options())
        return with_settings(config, draft.options())
    except StartRefused as refused:
        raise as_invalid(refused) from None


async def look_back(desk: Desk, config: Config) -> Finding:
    """Call the public address from here, and see whether it is we who answer, and how the call came in."""
    address = config.public_url
    if not address:
        raise Invalid.field("public_url", "Enter the address first.")
    parts = urlsplit(address)
    if parts.scheme != "https":
        return Finding("warn", "plain")
    nonce = desk.ids.token(24)
    desk.reached[nonce] = ("", "", "")
    try:
        answer = await desk.egress(Target(str(parts.hostname), parts.port or 443)).fetch(f"{address}{REACHED}{nonce}")
        return _judged(config, answer, nonce, desk.reached[nonce])
    except NotAllowed as error:
        raise Invalid.field("public_url", str(error)) from None
    except NotInTime:
        return Finding("bad", "silent")
    except Unreachable:
        return Finding("bad", "no_connection")
    except ChimeError:
        return Finding("bad", "somebody_else")
    finally:
        desk.reached.pop(nonce, None)


def _judged(config: Config, answer: Answer, nonce: str, came: tuple[str, str, str]) -> Finding:
    if answer.status in (502, 503, 504):
        return Finding("bad", "proxy_alone")
    if answer.status != 200 or answer.body != nonce[::-1].encode() or not came[1]:
        return Finding("bad", "somebody_else")
    scheme, peer, forwarded = came
    if scheme == "https" or (forwarded == "https" and _is_trusted(config, peer)):
        return Finding("good", "leads_here")
    if forwarded != "https":
        return Finding("warn", "not_forwarded")
    return Finding("warn", "not_believed", peer)


def _is_trusted(config: Config, peer: str) -> bool:
    try:
        return any(ipaddress.ip_address(peer) in network for network in config.trusted_proxies)
    except ValueError:
        return False


async def send_test_mail(desk: Desk, config: Config, to: str) -> Finding:
    """Hand one mail to the mail server now, to the owner's own address. Raises Invalid."""
    if config.mail_server is None:
        raise Invalid.field("mail_host", "Enter the mail server first.")
    sender = config.mail_from or f"chime@{urlsplit(config.public_url).hostname or 'localhost'}"
    now = desk.clock.real_now()
    mail = Mail(to=smtp.address(to), name="", subject="Chime can send mail", text=(
        "This is the test mail of Chime's set-up. If you can read it, invitations and alarms will arrive as well.\n"))
    try:
        await smtp.deliver(config.mail_server, sender, mail.to,
                           smtp.message(mail, sender=sender, mail_id=desk.ids.new(now), at=now))
    except NotTaken as error:
        return Finding("bad", "mail_refused", str(error))
    return Finding("good", "mail_taken", mail.to)

"""INJ-3 and the way to the mail server: nothing typed becomes a header or a command, nothing leaves outside of TLS."""

from __future__ import annotations

import random
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from chime.config import MailServer as Where
from chime.config import load
from chime.errors import Invalid, StartRefused
from chime.web.smtp import Mail, NotTaken, address, deliver, message, one_line
from tests.support.hostile_server import certificate
from tests.support.mail_server import mail_server

AT = 1_795_258_800_000
SENDER = "chime@chime.example"
POISON = ("\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r\nBcc: eve@evil.example",
          "\n.\n",           "\r\n.\r\nMAIL FROM:<eve@evil.example>", "\r\n\r\nBody",
          "=?utf-8?q?=0D=0ABcc:_eve@evil.example?=", "<eve@evil.example>",
          ",eve@evil.example", ";eve@evil.example", '"', "\\", "(", ")", ":", "@", "\u202e",
          "\ud800", "ä", "🦄", "\t", "x" * 3_000)
HEADERS = ["Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version", "Message-ID",
           "Subject", "To"]


def _written(mail: Mail) -> EmailMessage:
    raw = message(mail, sender=SENDER, mail_id="0123", at=AT)
    # What a server that takes any line end sees.
    for form in (raw, raw.replace(b"\r\n", b"\n")):
        read = message_from_bytes(form, policy=SMTP)
        assert isinstance(read, EmailMessage)
        assert sorted(read.keys()) == HEADERS and not read.defects, read.keys()
    ends = raw.replace(b"\r\n", b"")
    assert b"\r" not in ends and b"\n" not in ends
    assert all(len(line) <= 998 for line in raw.split(b"\r\n")) and raw.isascii()
    return read


def _poisoned(luck: random.Random, text: str) -> str:
    for _ in range(luck.randrange(1, 4)):
        place = luck.randrange(len(text) + 1)
        text = text[:place] + luck.choice(POISON) + text[place:]
    return text


def test_inj_3_two_thousand_mails_have_our_headers_and_no_other() -> None:
    luck = random.Random("mail")
    for _ in range(2_000):
        mail = Mail(to="bob@example.com", name=_poisoned(luck, "Bob Example"),
                    subject=_poisoned(luck, "You are invited"), text=_poisoned(luck, "Hello\nBob"))
        read = _written(mail)
        (to,) = read["To"].addresses
        assert to.addr_spec == "bob@example.com" and len(to.display_name.replace(" ", "")) <= 64
        (sender,) = read["From"].addresses
        assert sender.addr_spec == SENDER and len(read["Subject"]) <= 150 and "Bcc" not in read


def test_inj_3_two_thousand_addresses_are_addresses_or_refused() -> None:
    luck = random.Random("addresses")
    taken = 0
    for _ in range(2_000):
        text = _poisoned(luck, "bob@example.com")
        try:
            found = address(text)
        except Invalid:
            continue
        taken += 1
        assert found.isascii() and found.count("@") == 1 and not set(found) & set(" \r\n\0<>,;:\"\\()\t"), text
        _written(Mail(to=found, name="", subject="x", text="x"))
    assert taken


def test_addresses_as_people_write_them() -> None:
    assert address(" Bob.Example+x@EXAMPLE.com ") == "Bob.Example+x@example.com"
    assert address("bob@bücher.example") == "bob@xn--bcher-kva.example"
    for text in ("", "bob", "@example.com", "bob@", "a@b@c.com", '"a b"@example.com', "bob@[127.0.0.1]",
                 "b" * 65 + "@x.com", "bob@exa_mple.com",
                 "bob@-x.com", "bob@x..com", ".bob@x.com", "bob.@x.com", "bob@x.com\r\nRSET",
                 "ü@x.com"):
        with pytest.raises(Invalid):
            address(text)


def test_a_text_arrives_as_it_was_written() -> None:
    text = "Grüße, Bob 🦄\n\n.\n..\nFrom me\n" + "long " * 400 + "\nhttps://chime.example/invitations/abc=3D?x=y\n"
    assert _written(Mail(to="b@x.com", name="Bob", subject="Grüße", text=text)).get_content() == text
    assert one_line("  a \t b\n", 10) == "a b"


async def test_starttls_then_the_password_then_the_mail(tmp_path: Path) -> None:
    server_side, client_side = certificate(tmp_path)
    async with mail_server(starttls=server_side) as server:
        server.passwords = {"chime": "p@ss word"}
        where = Where("localhost", server.port, "starttls", "chime", "p@ss word")
        await deliver(where, SENDER, "bob@example.com", b"Subject: x\r\n\r\nhi\r\n.\r\n..\r\n", client_side)
        (mail,) = server.mails
        assert (mail.sender, mail.recipients, mail.secure, mail.user) == (SENDER, ["bob@example.com"], True, "chime")
        assert mail.raw.endswith(b"hi\r\n.\r\n..\r\n")
        assert server.commands.index("STARTTLS") < next(index for index, line in enumerate(server.commands)
                                                        if line.startswith("AUTH"))


async def test_tls_from_the_first_byte(tmp_path: Path) -> None:
    server_side, client_side = certificate(tmp_path)
    async with mail_server(tls=server_side) as server:
        where = Where("localhost", server.port, "tls")
        await deliver(where, SENDER, "bob@example.com", b"Subject: x\r\n\r\nhi\r\n", client_side)
        assert server.mails[0].secure


async def test_without_tls_neither_mail_nor_password_leave(tmp_path: Path) -> None:
    """A server that offers none, or somebody between who takes the offer away; one with a certificate of nobody."""
    server_side, _ = certificate(tmp_path)
    for starttls in (None, server_side):
        async with mail_server(starttls=starttls) as server:
            server.passwords = {"chime": "secret"}
            with pytest.raises(NotTaken) as refused:
                await deliver(Where("localhost", server.port, "starttls", "chime", "secret"), SENDER, "b@x.com", b"x")
            assert not refused.value.for_good and not server.mails and "secret" not in str(refused.value)
            assert not [line for line in server.commands if line.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize(("stage", "answer", "for_good"), [
    ("RCPT", "550 nobody", True), ("RCPT", "451 later", False), (".", "554 spam", True), (".", "452 full", False),
    ("MAIL", "550 not you", False), ("", "421 busy", False), ("AUTH", "535 no", False), ("EHLO", "500 no", False)])
async def test_what_a_server_says_decides_whether_it_is_asked_again(stage: str, answer: str, for_good: bool) -> None:
    async with mail_server() as server:
        server.passwords = {"chime": "x"} if stage == "AUTH" else {}
        server.refuse = {stage: answer, "HELO": "500 no"} if stage == "EHLO" else {stage: answer}
        user = "chime" if stage == "AUTH" else ""
        with pytest.raises(NotTaken) as refused:
            await deliver(Where("127.0.0.1", server.port, "plain", user, "x"), SENDER, "bob@example.com", b"hi\r\n")
        assert refused.value.for_good is for_good and not server.mails
        assert "bob" not in str(refused.value) and "nobody" not in str(refused.value), "it goes to the log"


async def test_nobody_there_is_no_reason_to_give_up() -> None:
    with pytest.raises(NotTaken) as refused:
        await deliver(Where("127.0.0.1", 9, "plain"), SENDER, "bob@example.com", b"hi\r\n")
    assert not refused.value.for_good


def test_the_option_tells_where_mails_go() -> None:
    def of(url: str) -> Where | None:
        return load(environment={"CHIME_SMTP_URL": url}).mail_server

    assert load(environment={}).mail_server is None
    assert of("smtp://me:p%40ss@mail.example") == Where("mail.example", 587, "starttls", "me", "p@ss")
    assert of("smtps://mail.example") == Where("mail.example", 465, "tls")
    assert of("smtp+plain://localhost:2525/") == Where("localhost", 2525, "plain")
    for url in ("smtp+plain://mail.example:25", "http://mail.example", "smtp://", "smtp://x/path", "smtp://x?y=z",
                "mail.example","smtp://secret:password@", "smtp://secret:password@[x", "smtp://secret:password@x:99999"):
        with pytest.raises(StartRefused, match="CHIME_SMTP_URL") as refused:
            of(url)
        assert "secret" not in str(refused.value) and "password@" not in str(refused.value), url

"""A small mail server that keeps what it is given, and refuses what a test wants refused."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP


@dataclass
class Delivered:
    """One mail as it arrived."""

    sender: str
    recipients: list[str]
    raw: bytes
    secure: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=SMTP)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """`refuse` is the answer to a verb instead of the usual one: `{"RCPT": "550 nobody here"}`."""

    port: int
    starttls: ssl.SSLContext | None = None
    refuse: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    mails: list[Delivered] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, secure: bool) -> None:
        """One conversation."""
        talk = _Conversation(self, reader, writer, secure=secure)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await talk.run()
        finally:
            writer.close()
        with suppress(OSError):
            await writer.wait_closed()


class _Conversation:
    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *,
                 secure: bool) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._secure = secure
        self._user = ""
        self._sender = ""
        self._recipients: list[str] = []

    async def run(self) -> None:
        await self._say(self._server.refuse.get("", "220 tests"))
        while line := (await self._reader.readline()).decode("ascii", "replace").rstrip("\r\n"):
            self._server.commands.append(line)
            verb = line.split(" ")[0].upper()
            if verb in self._server.refuse:
                await self._say(self._server.refuse[verb])
            elif verb == "QUIT":
                await self._say("221 bye")
                return
            else:
                await self._do(verb, line)

    async def _do(self, verb: str, line: str) -> None:
        match verb:
            case "EHLO":
                offers = ["250-tests"] + (["250-STARTTLS"] if self._server.starttls and not self._secure else [])
                offers += ["250-AUTH PLAIN"] if self._server.passwords else []
                await self._say("\r\n".join([*offers, "250 SIZE 1000000"]))
            case "STARTTLS" if self._server.starttls:
                await self._say("220 go on")
                await self._writer.start_tls(self._server.starttls)
                self._secure = True
            case "AUTH":
                await self._authenticate(line)
            case "MAIL":
                self._sender, self._recipients = line[10:].split(">")[0].lstrip("<"), []
                await self._say("250 ok")
            case "RCPT":
                self._recipients.append(line[8:].split(">")[0].lstrip("<"))
                await self._say("250 ok")
            case "DATA":
                await self._say("354 go on")
                await self._take()
            case "RSET" | "NOOP":
                await self._say("250 ok")
            case _:
                await self._say("502 no")

    async def _authenticate(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        good = self._server.passwords.get(user) == password
        self._user = user if good else ""
        await self._say("235 ok" if good else "535 no")

    async def _take(self) -> None:
        lines: list[bytes] = []
        while (line := await self._reader.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        if answer := self._server.refuse.get("."):
            await self._say(answer)
            return
        self._server.mails.append(Delivered(self._sender, self._recipients, b"".join(lines), self._secure, self._user))
        await self._say("250 taken")

    async def _say(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode())
        await self._writer.drain()


@asynccontextmanager
async def mail_server(*, starttls: ssl.SSLContext | None = None,
                      tls: ssl.SSLContext | None = None) -> AsyncIterator[MailServer]:
    """On a port of the loopback."""
    found = MailServer(0, starttls)
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await found.serve(reader, writer, secure=tls is not None)
        finally:
            running.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def mails_told(server: MailServer, count: int) -> list[tuple[str, str]]:
    """Whom the first so many mails went to, and what they say, subject first; no further one is on its way."""
    async with asyncio.timeout(10):
        while len(server.mails) < count:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    assert len(server.mails) == count, [mail.message["Subject"] for mail in server.mails]
    return [(mail.recipients[0], f"{mail.message['Subject']}\n{mail.text}") for mail in server.mails]

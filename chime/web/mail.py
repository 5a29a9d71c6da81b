"""Mails of the installation: invitations, resets, notices. A mail is a row; a task hands the rows to the mail server.

Promises: a mail queued in a transaction is sent if and only if that commits; it is tried for a day, at growing pauses,
and then given up; its address and words lie sealed and go when it is settled. A crash between the server's yes and our
commit sends it again under the same Message-ID. Without a mail server nothing is kept, and whoever made a link shows it
instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from chime.clock import DAY, MINUTE, SECOND, Clock
from chime.config import Config, MailServer
from chime.errors import ChimeError, Invalid
from chime.log import Log
from chime.security.crypto import CannotOpen
from chime.web import smtp
from chime.web.smtp import Mail, NotTaken
from chime.workspaces import Control
from chime.workspaces.transaction import Transaction

GIVE_UP_AFTER = DAY
KEEP_SETTLED = 7 * DAY
SWEEP_EVERY = 60 * MINUTE
LONGEST_PAUSE = 60 * MINUTE
LOOK_EVERY = 15.0
MOST_AT_A_TIME = 50
_log = Log("mail")

Deliver = Callable[[MailServer, str, str, bytes], Awaitable[None]]


class _Waiting(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    message_sealed: bytes
    attempts: int
    created_at: int


class Mailer:
    """Queues mails and sends them."""

    def __init__(self, control: Control, clock: Clock, config: Config, *, deliver: Deliver = smtp.deliver) -> None:
        self._control = control
        self._clock = clock
        self._server = config.mail_server
        self._public_url = config.public_url
        host = urlsplit(config.public_url).hostname or "localhost"
        self._sender = config.mail_from or f"chime@{host}"
        self._deliver = deliver
        self._wake = asyncio.Event()
        self._sending = asyncio.Lock()
        self._swept_at = 0

    @property
    def configured(self) -> bool:
        """Whether a link can be mailed. When not, show it to whoever asked, to hand over."""
        return self._server is not None and bool(self._public_url)

    @property
    def contact(self) -> str:
        """Whom a push service may write to about what we send it."""
        return f"mailto:{self._sender}"

    def link(self, path: str) -> str:
        """The address of a page of ours in a mail: of the configured public address, never of what a request said."""
        if not self._public_url or not path.startswith("/") or path.startswith("//"):
            raise ChimeError("A link needs CHIME_PUBLIC_URL and a path of ours.")
        return self._public_url + path

    async def send(self, to: str, subject: str, text: str, *, name: str = "", html: str = "",
                   tx: Transaction | None = None) -> str:
        """Queue a mail and give its id; nothing, and an empty id, when no mail server is configured. `tx` is a
        transaction of control.db that it shall belong to. `subject` is ours: what people typed stands in `text`, or,
        as their display name, in `name`. `html`: the same as a page, for who reads it so. Raises
        Invalid for an address that is none."""
        if self._server is None:
            return ""
        mail = Mail(to=smtp.address(to), name=name, subject=subject, text=text, html=html)
        if tx is not None:
            # The commit is still to come. A look soon after finds it; the regular look would in any case.
            for seconds in (0.1, 1.0):
                asyncio.get_running_loop().call_later(seconds, self._wake.set)
            return await self._queue(tx, mail)
        async with self._control.ingest("mail") as own:
            mail_id = await self._queue(own, mail)
        self._wake.set()
        return mail_id

    async def tell(self, to: str, subject: str, text: str, *, name: str = "", html: str = "",
                   tx: Transaction | None = None) -> str:
        """As `send`, to somebody who has an account, and so perhaps an address that no mail goes to: they hear of it
        elsewhere, and neither what happened nor the mails of others may hang on it."""
        try:
            return await self.send(to, subject, text, name=name, html=html, tx=tx)
        except Invalid:
            _log.warning("mail.no_address")
            return ""

    async def _queue(self, tx: Transaction, mail: Mail) -> str:
        mail_id = tx.new_id()
        sealed = self._control.vault.seal(msgspec.json.encode(mail).decode(), table="outgoing_mail", row=mail_id,
                                          column="message")
        now = self._clock.real_now()
        await tx.execute("INSERT INTO outgoing_mail (id, message_sealed, next_attempt_at, created_at) "
                         "VALUES (?, ?, ?, ?)", mail_id, sealed, now, now)
        return mail_id

    async def run(self) -> None:
        """Send what is due, for ever."""
        while self._server is not None:
            self._wake.clear()
            await self.send_due()
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def send_due(self) -> int:
        """Try each mail that is due once; how many were tried."""
        async with self._sending:
            return await self._send_due()

    async def _send_due(self) -> int:
        now = self._clock.real_now()
        due = await self._control.db.all(
            _Waiting, "SELECT id, message_sealed, attempts, created_at FROM outgoing_mail "
            "WHERE state = 'queued' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?", now, MOST_AT_A_TIME)
        for waiting in due:
            if await self._claim(waiting, now):
                await self._try(waiting)
        if now - self._swept_at >= SWEEP_EVERY:
            self._swept_at = now
            async with self._control.ingest("mail") as tx:
                await tx.execute("DELETE FROM outgoing_mail WHERE state <> 'queued' AND settled_at < ?",
                                 now - KEEP_SETTLED)
        return len(due)

    async def _claim(self, waiting: _Waiting, now: int) -> bool:
        """Put the next try off before this one begins: where nothing can be written, nothing is sent, or each look
        would send it again. False when somebody else did."""
        async with self._control.ingest("mail") as tx:
            return bool(await tx.execute("UPDATE outgoing_mail SET next_attempt_at = ? WHERE id = ? "
                                         "AND state = 'queued' AND next_attempt_at <= ?",
                                         now + _pause(waiting.attempts), waiting.id, now))

    async def _try(self, waiting: _Waiting) -> None:
        assert self._server is not None
        try:
            mail = self._opened(waiting)
            body = smtp.message(mail, sender=self._sender, mail_id=waiting.id, at=waiting.created_at)
            await self._deliver(self._server, self._sender, mail.to, body)
        except (NotTaken, CannotOpen, Invalid) as error:
            await self._not_sent(waiting, str(error), for_good=getattr(error, "for_good", True))
            return
        await self._settle(waiting, "sent", "")
        _log.info("mail.sent", mail=waiting.id)

    def _opened(self, waiting: _Waiting) -> Mail:
        opened = self._control.vault.open(waiting.message_sealed, table="outgoing_mail", row=waiting.id,
                                          column="message")
        return msgspec.json.decode(opened.reveal(), type=Mail)

    async def _not_sent(self, waiting: _Waiting, trouble: str, *, for_good: bool) -> None:
        now = self._clock.real_now()
        if for_good or now - waiting.created_at >= GIVE_UP_AFTER:
            await self._settle(waiting, "given_up", trouble)
            _log.warning("mail.given_up", mail=waiting.id, reason=trouble)
            return
        _log.warning("mail.not_taken", mail=waiting.id, reason=trouble)
        async with self._control.ingest("mail") as tx:
            await tx.execute("UPDATE outgoing_mail SET attempts = attempts + 1, next_attempt_at = ?, trouble = ? "
                             "WHERE id = ?", now + _pause(waiting.attempts), trouble, waiting.id)

    async def _settle(self, waiting: _Waiting, state: str, trouble: str) -> None:
        async with self._control.ingest("mail") as tx:
            await tx.execute("UPDATE outgoing_mail SET state = ?, message_sealed = NULL, attempts = attempts + 1, "
                             "settled_at = ?, trouble = ? WHERE id = ?", state, self._clock.real_now(), trouble,
                             waiting.id)

    async def gauges(self) -> dict[str, int]:
        """For a monitor: how many wait, and how many of the last week were sent or given up."""
        rows = await self._control.db.rows("SELECT state, count(*) FROM outgoing_mail GROUP BY state")
        found = {state: number for state, number in rows}
        return {f'chime_mails{{state="{state}"}}': found.get(state, 0) for state in ("queued", "sent", "given_up")}


def _pause(attempts: int) -> int:
    """Until the next try, after so many."""
    return min(30 * SECOND << min(attempts, 10), LONGEST_PAUSE)

"""Checkpoints by mail to the owners: weekly when there is a newer one, and nothing without a mail server."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chime import audit
from chime.audit import letters, verifier
from chime.clock import DAY, Clock
from chime.config import MailServer
from chime.security.permissions import SYSTEM
from chime.web.mail import Mailer
from tests.support.world import _config
from tests.unit.audit.trail_setup import files_of, write_rows

SERVER = MailServer("127.0.0.1", 9, "plain")


async def test_owners_get_the_newest_checkpoint_once_a_week(installation: Path, tmp_path: Path) -> None:
    async with files_of(installation, tmp_path / "data") as files:
        sent: list[bytes] = []

        async def deliver(server: MailServer, sender: str, to: str, message: bytes) -> None:
            sent.append(message)

        clock, control = Clock(), files.control
        config = msgspec.structs.replace(_config(files.folder, "https://chime.example.com", "http://127.0.0.1:9"),
                                         mail_server=SERVER)
        mailer = Mailer(control, clock, config, deliver=deliver)
        now = clock.real_now()
        assert await letters.mail_weekly(control, mailer, now) == 0, "nothing is signed yet"
        made = await audit.sign(files.trail)
        later = now + DAY  # the clock of the row must not be behind
        assert await letters.mail_weekly(control, mailer, later) == 1
        assert await letters.mail_weekly(control, mailer, later + 8 * DAY) == 0, "nothing newer to tell"
        await mailer.send_due()
        assert len(sent) == 1 and b"alice@example.com" in sent[0] and b"bob@" not in sent[0]
        assert b"Checkpoint of the audit log" in sent[0]
        await write_rows(files.workspace, 3)
        newer = await audit.sign(files.trail)
        async with control.write(SYSTEM) as tx:
            await tx.execute("UPDATE meta SET value = ? WHERE key LIKE 'audit_mailed:%'", str(now - 8 * DAY))
            await tx.audit("test.prepared", "test", "")
        assert await letters.mail_weekly(control, mailer, now) == 1 and newer.size > made.size
        assert verifier.note_of(newer.note).size == newer.size
        without = Mailer(control, clock, msgspec.structs.replace(config, mail_server=None))
        assert await letters.mail_weekly(control, without, now + 30 * DAY) == 0

"""What Meta gets for a workspace whose files are being changed, or cannot be used: 200 only for what is stored, or 503
with a time to come again; and whatever was posted is in effect in the end, once. With the real process, posted to from
outside, and read by the independent checker.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chime.db import open_connection
from chime.handover import new_code
from chime.ids import Ids
from chime.setup import opened as opened_installation
from chime.workspaces.registry import workspace_folder
from tests.reliability.appliance import ROOT, Appliance
from tests.reliability.checker import lost, not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.senders import Sender
from tests.reliability.traffic import Effects, Fact, Traffic
from tests.support.processes import CHIME, run

ACME, GLOBEX = 0, 1
# Of a program that does not exist yet: more breaking steps than this one knows.
NEWER = 9_000 << 16


class Meanwhile:
    """A running installation of two workspaces, and whoever posts to it."""

    def __init__(self, appliance: Appliance) -> None:
        luck = random.Random(6)
        self.appliance = appliance
        self.traffic = Traffic(appliance.numbers, luck)
        self.sender = Sender(appliance.port, appliance.webhook_path, luck)

    def body_for(self, *numbers: int) -> tuple[bytes, list[Fact]]:
        """A customer of each of them writes, all in one body."""
        facts = [self.traffic.text(number) for number in numbers]
        return self.traffic.body(facts).body, facts

    async def refused(self, body: bytes) -> str:
        """What is said to it beside 503, which says when to come again."""
        def post() -> tuple[int, str | None, str]:
            connection = http.client.HTTPConnection("127.0.0.1", self.appliance.port, timeout=30)
            with contextlib.closing(connection):
                head, _, _ = self.sender.request(body).partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
                connection.request("POST", self.appliance.webhook_path, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.getheader("retry-after"), answer.read().decode()

        status, retry_after, words = await asyncio.to_thread(post)
        assert status == 503 and retry_after is not None and int(retry_after) > 0, (status, retry_after, words)
        return words

    async def command(self, *words: str) -> str:
        """Beside the running appliance."""
        done = await asyncio.to_thread(
            run, [*CHIME, *words, "--data", str(self.appliance.data_dir)], cwd=ROOT, timeout=180,
            extra=self.appliance.settings | {"PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def everything_is_in_effect(self) -> None:
        """What was posted, and nothing else, once; in whole files."""
        await self.sender.settled(120)
        await until_applied(self.appliance)
        with opened(self.appliance) as files:
            faults = unsound(files) + unaccounted(files)
            for index, file in enumerate(files.workspaces):
                own = Effects(fact for fact in self.traffic.facts if fact.number == index)
                faults += not_in_effect(file, own, f"workspace {index}")
        assert not faults, faults
        assert set(self.sender.answers) <= {200, 503}, self.sender.answers


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[Meanwhile]:
    async with Appliance.install(folder, workspaces=("Acme", "Globex")) as appliance:
        await appliance.start()
        meanwhile = Meanwhile(appliance)
        try:
            yield meanwhile
        finally:
            await meanwhile.sender.close()


@asynccontextmanager
async def _file(appliance: Appliance, name: str) -> AsyncIterator[Any]:
    """A file of Acme's, open to write, whoever else has it open."""
    workspace_id = appliance.numbers[ACME].workspace_id
    async with opened_installation(appliance.config) as (control, registry):
        keys = await registry.keys(workspace_id)
        assert control is not None
    connection = open_connection(workspace_folder(appliance.data_dir, workspace_id) / name,
                                 keys.workspace_file if name == "workspace.db" else keys.journal_file, writes=True)
    try:
        yield connection
    finally:
        connection.close()


async def _numbered(appliance: Appliance, number: int) -> int:
    """Say of Acme's state that it has so many steps; what it said before."""
    async with _file(appliance, "workspace.db") as file:
        before = int(file.execute("PRAGMA user_version").fetchone()[0])
        file.execute(f"PRAGMA user_version = {number}")
    return before


async def _in_effect(appliance: Appliance, index: int, facts: list[Fact]) -> None:
    """Soon, and while what it came with is still refused."""
    deadline = time.monotonic() + 30
    while True:
        with opened(appliance, only=index) as files:
            faults = lost(files.workspaces[0], Effects(fact for fact in facts if fact.number == index), "it")
        if not faults:
            return
        assert time.monotonic() < deadline, faults
        await asyncio.sleep(0.1)


async def test_files_that_cannot_be_brought_up_to_date_have_meta_come_again(tmp_path: Path) -> None:
    async with _running(tmp_path) as meanwhile:
        appliance = meanwhile.appliance
        await appliance.stop()
        before = await _numbered(appliance, NEWER)
        await appliance.start()
        body, _ = meanwhile.body_for(ACME)
        assert await meanwhile.refused(body) == "storage is not available"
        # Meta puts several numbers' events into one body: the one whose files are whole does not wait for the other.
        both, facts = meanwhile.body_for(ACME, GLOBEX)
        assert await meanwhile.refused(both) == "storage is not available"
        await _in_effect(appliance, GLOBEX, facts)
        assert await meanwhile.sender.post(meanwhile.body_for(GLOBEX)[0]) == 200
        await appliance.stop()
        await _numbered(appliance, before)
        await appliance.start()
        for repeated in (body, both, both):
            assert await meanwhile.sender.post(repeated) == 200
        await meanwhile.everything_is_in_effect()


async def test_while_its_state_is_written_by_a_migration_its_journal_takes_everything(tmp_path: Path) -> None:
    async with _running(tmp_path) as meanwhile, _file(meanwhile.appliance, "workspace.db") as migration:
        migration.execute("BEGIN IMMEDIATE")
        bodies = [meanwhile.body_for(ACME) for _ in range(20)]
        for body, _ in bodies:
            assert await meanwhile.sender.post(body) == 200, "stored, though it cannot take effect yet"
        with opened(meanwhile.appliance, only=ACME) as files:
            assert files.workspaces[0].execute("SELECT count(*) FROM message").fetchone() == (0,)
        migration.execute("ROLLBACK")
        await meanwhile.everything_is_in_effect()


async def test_while_its_journal_is_written_by_a_migration_the_sender_waits_or_comes_again(tmp_path: Path) -> None:
    async with _running(tmp_path) as meanwhile, _file(meanwhile.appliance, "journal.db") as migration:
        assert await meanwhile.sender.post(meanwhile.body_for(ACME)[0]) == 200
        migration.execute("BEGIN IMMEDIATE")
        for _ in range(20):
            facts = [meanwhile.traffic.text(ACME)]
            meanwhile.sender.start(meanwhile.traffic.body(facts))
        await asyncio.sleep(1)
        assert meanwhile.sender.outstanding == 20 and len(meanwhile.sender.acknowledged) == 0
        assert await meanwhile.sender.post(meanwhile.body_for(GLOBEX)[0]) == 200
        migration.execute("ROLLBACK")
        await meanwhile.everything_is_in_effect()


async def test_while_a_copy_of_an_earlier_moment_takes_its_place(tmp_path: Path) -> None:
    """What came after that moment, and while the files are exchanged, is in the new ones."""
    async with _running(tmp_path) as meanwhile:
        endless = (meanwhile.traffic.body([meanwhile.traffic.text()]) for _ in itertools.count())
        posting = asyncio.create_task(meanwhile.sender.at_rate(endless, 50))
        await asyncio.sleep(1)
        await meanwhile.command("backup", "now")
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        await asyncio.sleep(1.1)
        await meanwhile.command("backup", "now")
        await meanwhile.command("backup", "restore", "--workspace", "Acme", "--at", moment, "--as", "Then")
        before = len(meanwhile.sender.acknowledged)
        await meanwhile.command("backup", "take-over", "Then", "--yes-replace", "Acme")
        assert len(meanwhile.sender.acknowledged) > before, "it was posted to meanwhile"
        posting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await posting
        await meanwhile.everything_is_in_effect()


async def test_while_it_is_handed_over_meta_keeps_it(tmp_path: Path) -> None:
    async with _running(tmp_path) as meanwhile:
        assert await meanwhile.sender.post(meanwhile.body_for(ACME)[0]) == 200
        await meanwhile.command("workspace", "hand-over", "Acme", "--to", new_code(Ids()))
        await asyncio.sleep(0.5)  # what a command did is noticed many times a second
        both, facts = meanwhile.body_for(ACME, GLOBEX)
        assert await meanwhile.refused(both) == "another server answers this number from now on"
        await _in_effect(meanwhile.appliance, GLOBEX, facts)
        await meanwhile.command("workspace", "take-back", "Acme", "--yes-it-works-nowhere-else", "Acme")
        meanwhile.sender.start(meanwhile.traffic.body(facts))
        await meanwhile.everything_is_in_effect()

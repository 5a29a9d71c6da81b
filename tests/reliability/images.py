"""Opens what a power cut left as Chime would, and compares it with what the outside had been told until then."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlcipher3 import dbapi2

from chime.db import StorageUnavailable, open_connection
from chime.workspaces import open_keys
from tests.reliability.appliance import Appliance
from tests.reliability.checker import broken_chain, not_in_effect
from tests.reliability.recording import ACKNOWLEDGED, POSTED
from tests.reliability.senders import Delivery
from tests.reliability.traffic import Effects
from tests.support.faulty_disk import Change
from tests.support.world import MASTER_KEY

EVERY_PAGE = 4
"""Every so many images all pages of the large file are checked too; the journal's are each time."""
_MEMORY = Path("/dev/shm")


class Told:
    """What the outside knows: bodies that were acknowledged, messages Meta was given."""

    def __init__(self) -> None:
        self.acknowledged: set[bytes] = set()
        self.posted: set[str] = set()

    def note(self, change: Change) -> None:
        if change.kind == "M" and change.path == ACKNOWLEDGED:
            self.acknowledged.add(change.data)
        elif change.kind == "M" and change.path == POSTED:
            self.posted.add(change.data.decode())


class Judge:
    """Looks at images of an installation with one workspace. `verdicts` counts lost, corrupt and torn ones."""

    def __init__(self, installed: Appliance, deliveries: dict[bytes, Delivery]) -> None:
        self._deliveries = deliveries
        self._place = f"workspaces/{installed.numbers[0].workspace_id}"
        self._number = installed.numbers[0]
        self._keys = self._keys_of(installed)
        self._stack = ExitStack()
        memory = _MEMORY if _MEMORY.is_dir() else None
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chime-image-", dir=memory)))
        self._looked = 0
        self.verdicts: Counter[str] = Counter(lost=0, corrupt=0, torn=0)

    def _keys_of(self, installed: Appliance) -> Any:
        keys = open_keys(installed.data_dir, MASTER_KEY)
        control = open_connection(installed.data_dir / "control.db", keys.control_file, writes=False)
        try:
            version, wrapped = control.execute("SELECT version, wrapped FROM workspace_key").fetchone()
        finally:
            control.close()
        return keys.unwrap(wrapped, self._number.workspace_id, version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.close()

    def look(self, image: dict[str, bytes], told: Told) -> list[str]:
        """The faults of one image."""
        self._looked += 1
        for name in ("workspace.db", "journal.db"):
            for suffix in ("", "-wal"):
                path = self._folder / f"{name}{suffix}"
                content = image.get(f"{self._place}/{name}{suffix}")
                path.write_bytes(content) if content is not None else path.unlink(missing_ok=True)
            (self._folder / f"{name}-shm").unlink(missing_ok=True)
        try:
            found = self._compared(told)
        except (StorageUnavailable, dbapi2.DatabaseError) as error:
            found = [("corrupt", f"it cannot be read: {error}")]
        self.verdicts.update({verdict for verdict, _ in found})
        return [f"{verdict}: {fault}" for verdict, fault in found]

    def _compared(self, told: Told) -> list[tuple[str, str]]:
        with ExitStack() as stack:
            journal = open_connection(self._folder / "journal.db", self._keys.journal_file, writes=True)
            stack.callback(journal.close)
            workspace = open_connection(self._folder / "workspace.db", self._keys.workspace_file, writes=True)
            stack.callback(workspace.close)
            return [*self._unsound(workspace, journal), *self._lost(workspace, journal, told),
                    *self._torn(workspace, journal)]

    def _unsound(self, workspace: Any, journal: Any) -> list[tuple[str, str]]:
        whole = (workspace, journal) if self._looked % EVERY_PAGE == 0 else (journal,)
        found = [file.execute("PRAGMA integrity_check(1)").fetchone()[0] for file in whole]
        return [("corrupt", words) for words in found if words != "ok"]

    def _lost(self, workspace: Any, journal: Any, told: Told) -> list[tuple[str, str]]:
        """What the outside was told is written down."""
        faults = []
        stored = {row[0] for row in journal.execute("SELECT key FROM webhook_body")}
        if gone := told.acknowledged - stored:
            faults.append(("lost", f"{len(gone)} acknowledged bodies are not in the journal"))
        begun = {row[0] for row in journal.execute("SELECT message_id FROM send_event WHERE phase = 'begun'")}
        free = {row[0] for row in workspace.execute("SELECT id FROM message WHERE status = 'queued'")}
        if again := told.posted & free:
            faults.append(("lost", f"{len(again)} messages that Meta was given are queued again"))
        if unknown := told.posted - begun:
            faults.append(("lost", f"{len(unknown)} messages that Meta was given have no line in the journal"))
        return faults

    def _torn(self, workspace: Any, journal: Any) -> list[tuple[str, str]]:
        """The state is exactly what the bodies that count as applied make of it."""
        bodies = dict(journal.execute("SELECT id, key FROM webhook_body").fetchall())
        applied = [row[0] for row in workspace.execute("SELECT journal_id FROM applied_body")]
        if strangers := [journal_id for journal_id in applied if journal_id not in bodies]:
            return [("torn", f"{len(strangers)} bodies are applied that the journal does not have")]
        expected = Effects({fact for journal_id in applied for fact in self._deliveries[bodies[journal_id]].tells})
        faults = not_in_effect(workspace, expected, "the workspace") + broken_chain(workspace)
        if workspace.execute("PRAGMA foreign_key_check").fetchone():
            faults.append("rows refer to rows that are not there")
        return [("torn", fault) for fault in faults]

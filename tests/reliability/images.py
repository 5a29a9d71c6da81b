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
from chime.security.crypto import CannotOpen
from chime.workspaces import open_keys
from tests.reliability.appliance import Appliance
from tests.reliability.checker import broken_chain, not_in_effect
from tests.reliability.parked import Parked, share
from tests.reliability.recording import ACKNOWLEDGED, POSTED
from tests.reliability.senders import Delivery
from tests.reliability.traffic import Effects, Fact
from tests.support.faulty_disk import Change
from tests.support.world import MASTER_KEY

EVERY_PAGE = 4
"""Every so many images all pages of the large file are checked too; those of control.db and the journal each time."""
_MEMORY = Path("/dev/shm")
# A page of another moment may make a row that SQLite reads and that holds neither JSON nor what was sealed.
_UNREADABLE = (StorageUnavailable, dbapi2.DatabaseError, CannotOpen, ValueError, TypeError, KeyError)


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
        self._number = installed.numbers[0]
        place = f"workspaces/{self._number.workspace_id}/"
        self._files = {"control.db": "", "workspace.db": place, "journal.db": place}
        self._ring = open_keys(installed.data_dir, MASTER_KEY)
        self._keys = self._keys_of(installed)
        # A body for several numbers is stored in parts: what is stored is known by its part.
        self._tells: dict[bytes, list[Fact]] = {}
        for delivery in deliveries.values():
            self._tells[self._own(delivery.body)] = [fact for fact in delivery.tells if fact.number == 0]
        self._stack = ExitStack()
        memory = _MEMORY if _MEMORY.is_dir() else None
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chime-image-", dir=memory)))
        self._looked = 0
        self.verdicts: Counter[str] = Counter(lost=0, corrupt=0, torn=0)

    def _keys_of(self, installed: Appliance) -> Any:
        control = open_connection(installed.data_dir / "control.db", self._ring.control_file, writes=False)
        try:
            version, wrapped = control.execute("SELECT version, wrapped FROM workspace_key").fetchone()
        finally:
            control.close()
        return self._ring.unwrap(wrapped, self._number.workspace_id, version)

    def _own(self, body: bytes) -> bytes:
        return share(body, self._number.phone_number_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.close()

    def look(self, image: dict[str, bytes], told: Told) -> list[str]:
        """The faults of one image."""
        self._looked += 1
        for name, place in self._files.items():
            for suffix in ("", "-wal"):
                path = self._folder / f"{name}{suffix}"
                content = image.get(f"{place}{name}{suffix}")
                path.write_bytes(content) if content is not None else path.unlink(missing_ok=True)
            (self._folder / f"{name}-shm").unlink(missing_ok=True)
        try:
            found = self._compared(told)
        except _UNREADABLE as error:
            found = [("corrupt", f"it cannot be read: {error}")]
        self.verdicts.update({verdict for verdict, _ in found})
        return [f"{verdict}: {fault}" for verdict, fault in found]

    def _compared(self, told: Told) -> list[tuple[str, str]]:
        with ExitStack() as stack:
            def opened(name: str, key: Any) -> Any:
                file = open_connection(self._folder / name, key, writes=True)
                stack.callback(file.close)
                return file

            control = opened("control.db", self._ring.control_file)
            journal = opened("journal.db", self._keys.journal_file)
            workspace = opened("workspace.db", self._keys.workspace_file)
            return [*self._unsound(control, workspace, journal), *self._lost(workspace, journal, told),
                    *self._torn(workspace, journal), *self._parked(control, told)]

    def _unsound(self, control: Any, workspace: Any, journal: Any) -> list[tuple[str, str]]:
        whole = (control, journal, workspace) if self._looked % EVERY_PAGE == 0 else (control, journal)
        found = [file.execute("PRAGMA integrity_check(1)").fetchone()[0] for file in whole]
        return [("corrupt", words) for words in found if words != "ok"]

    def _lost(self, workspace: Any, journal: Any, told: Told) -> list[tuple[str, str]]:
        """What the outside was told is written down."""
        faults = []
        stored = {self._own(row[0]) for row in journal.execute("SELECT body FROM webhook_body")}
        if gone := {self._own(self._deliveries[key].body) for key in told.acknowledged} - stored - {b""}:
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
        bodies = {journal_id: self._own(body)
                  for journal_id, body in journal.execute("SELECT id, body FROM webhook_body")}
        applied = [row[0] for row in workspace.execute("SELECT journal_id FROM applied_body")]
        if strangers := [journal_id for journal_id in applied if journal_id not in bodies]:
            return [("torn", f"{len(strangers)} bodies are applied that the journal does not have")]
        if unknown := [one for one in bodies.values() if one not in self._tells]:
            return [("torn", f"{len(unknown)} bodies are in the journal that nobody posted")]
        expected = Effects({fact for journal_id in applied for fact in self._tells[bodies[journal_id]]})
        faults = not_in_effect(workspace, expected, "the workspace") + _inconsistent(workspace)
        return [("torn", fault) for fault in faults]

    def _parked(self, control: Any, told: Told) -> list[tuple[str, str]]:
        """What came for a number nobody connected is in control.db, once."""
        parked = Parked(control, self._ring)
        lost = parked.lost(self._deliveries[key] for key in told.acknowledged)
        return [*(("lost", fault) for fault in lost),
                *(("torn", fault) for fault in parked.wrong(self._deliveries.values()) + _inconsistent(control))]


def _inconsistent(file: Any) -> list[str]:
    """Rows of one change without the others of the same change."""
    refers = file.execute("PRAGMA foreign_key_check").fetchone()
    return broken_chain(file) + (["rows refer to rows that are not there"] if refers else [])

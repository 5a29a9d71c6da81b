"""Running an approved export: rows in pieces from beside the loop into an encrypted file, never all in memory.

The file has a key of its own, sealed in its row. The rights that count are those the requester has now, and the
approved masking is never loosened; with more rows than were approved there is no file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from chime import accounts, approvals
from chime.approvals import Approval, Ending, StandsNoMore, State
from chime.clock import rfc3339
from chime.errors import ChimeError, NotFound
from chime.exports import marks, queries, rows, subject, table
from chime.exports.actions import NewFile, new_file
from chime.exports.model import (
    FIELD,
    MESSAGE_COLUMNS,
    REFERENCE,
    Format,
    Frozen,
    Kind,
    filename,
)
from chime.ids import Ids
from chime.jobs import Work
from chime.phone import numbers_shown_to
from chime.security.permissions import SYSTEM, Actor, Permission
from chime.security.scope import Viewer, viewer
from chime.workspaces import StoredFiles, Workspace

FOLDER = "exports"
SECONDS_BETWEEN_NOTES = 1.0


class TooManyRows(ChimeError):
    """There are more rows than were approved."""


class Ended(ChimeError):
    """Somebody ended it while it ran."""


async def run(work: Work, export_id: str) -> None:
    """Run it, if it is to be run."""
    async with work.workspace.write(SYSTEM) as tx:
        row = await approvals.begin(tx, export_id)
        if row is None:
            return
        made = await new_file(tx, work.workspace.vault, row.id)
    try:
        await _run(work, row, made)
    except (Ended, StandsNoMore):
        return
    except TooManyRows:
        await _fail(work, row, Ending.TOO_MANY_ROWS)
    except NotFound:
        await _fail(work, row, Ending.SUBJECT_GONE)
    finally:
        numbers_shown_to(False)


def folder(workspace: Workspace, key: bytes) -> StoredFiles:
    """The folder of exports, for the file with this key."""
    return workspace.files.beside(FOLDER, key)


async def _run(work: Work, row: Approval, made: NewFile) -> None:
    frozen = msgspec.convert(row.parameters, Frozen)
    actor = await approvals.must_stand(work.control.db, work.workspace, row, work.clock.real_now())
    # Never looser than what was approved, nor than what the requester may see now.
    shown = actor.sees_numbers and not frozen.masked
    numbers_shown_to(shown, masks_texts=actor.masks_texts)
    export = _Export(work, row, msgspec.structs.replace(frozen, masked=not shown), actor, made.marker)
    written = await folder(work.workspace, made.key).write(row.id, export.content())
    # Whoever was removed while it ran gets no file.
    await approvals.must_stand(work.control.db, work.workspace, row, work.clock.real_now())
    kind = Kind(row.kind)
    media_type = "application/zip" if kind is Kind.SUBJECT else table.MEDIA_TYPES[frozen.format.value]
    name = filename(row.kind, frozen, "chime", row.requested_at)
    async with work.workspace.write(_on_behalf(row)) as tx:
        await tx.execute("UPDATE export_file SET filename = ?, media_type = ?, size = ?, rows = ?, masked = ? "
                         "WHERE id = ?", name, media_type, written.size, export.count, int(not shown), row.id)
        await approvals.finish(tx, row.id, with_file=True, done=export.count)


def _on_behalf(row: Approval) -> Actor:
    return msgspec.structs.replace(SYSTEM, on_behalf=row.person_id or row.key_id or "")


async def _fail(work: Work, row: Approval, ending: Ending) -> None:
    async with work.workspace.write(_on_behalf(row)) as tx:
        current = await approvals.found(tx, row.id)
        if current.ended_at is None:
            await approvals.end(tx, current, State.FAILED, ending)


class _Export:
    """One run. `content` gives the bytes of the file and counts its rows."""

    def __init__(self, work: Work, row: Approval, frozen: Frozen, actor: Actor, marker: bytes) -> None:
        self._work = work
        self._row = row
        self._frozen = frozen
        self._marker = marker
        self._ids = Ids()
        self._viewer: Viewer = viewer(actor, Permission(row.permission))
        self._noted = 0.0
        self.count = 0

    async def content(self) -> AsyncIterator[bytes]:
        kind = Kind(self._row.kind)
        if kind is Kind.SUBJECT:
            async for part in subject.archive(self._work.workspace, self._frozen, at=self._row.requested_at,
                                              export_id=self._row.id, progress=self._progress):
                yield part
            return
        columns = await self._columns(kind)
        if self._frozen.format is Format.CSV:
            yield table.csv_line(columns).encode()
        async for piece in self._pieces(kind):
            self.count += len(piece)
            if self.count > self._frozen.ceiling:
                raise TooManyRows("there are more rows than were approved")
            yield await asyncio.to_thread(self._formatted, kind, columns, piece)
            await self._note()
        yield self._watermark(columns)

    async def _columns(self, kind: Kind) -> tuple[str, ...]:
        if kind is Kind.CONVERSATIONS:
            return (*MESSAGE_COLUMNS, REFERENCE)
        self._members = {one.id: one.name for one in await accounts.members(self._work.control.db,
                                                                            self._work.workspace.id)}
        fields = await queries.field_names(self._work.workspace.db.long_reads)
        return (*self._frozen.columns, *(f"{FIELD}{name}" for name in fields), REFERENCE)

    async def _pieces(self, kind: Kind) -> AsyncIterator[list[tuple[Any, ...]]]:
        db = self._work.workspace.db
        if kind is Kind.CONTACTS:
            last_id = self._ids.new(self._work.clock.now())
            found = queries.contact_pieces(db.long_reads, self._viewer, self._frozen, last_id=last_id)
        else:
            last = await queries.newest_message(db)
            found = queries.message_pieces(db.long_reads, self._viewer, self._frozen, last=last)
        async for piece in found:
            yield piece

    def _formatted(self, kind: Kind, columns: Sequence[str], piece: list[tuple[Any, ...]]) -> bytes:
        """In a thread, with a copy of what this task says about numbers."""
        as_csv = self._frozen.format is Format.CSV
        masked = self._frozen.masked
        told = (rows.contacts(piece, masked=masked, as_columns=as_csv, members=self._members) if kind is Kind.CONTACTS
                else rows.messages(piece, masked=masked))
        for one in told:
            one[REFERENCE] = marks.reference(self._marker, self._ids)
        return table.as_csv(columns, told) if as_csv else table.as_json_lines(told)

    def _watermark(self, columns: Sequence[str]) -> bytes:
        """The last line says openly where the file comes from."""
        row, at = self._row, rfc3339(self._work.clock.real_now())
        told = {"export": row.id, "exported_at": at, "requested_by": row.requester_name,
                "requester_id": row.person_id or row.key_id, "approved_by": row.approver_name or None,
                "digest": row.digest.hex()}
        if self._frozen.format is Format.JSON:
            return table.as_json_lines([{"chime_export": told}])
        approved = f", approved by {row.approver_name}" if row.approver_name else ""
        words = f"requested by {row.requester_name}{approved}"
        return table.csv_line((f"#chime-export {row.id}", words, at, *[""] * (len(columns) - 3))).encode()

    async def _progress(self, count: int) -> None:
        self.count = count
        await self._note()

    async def _note(self) -> None:
        """Write down how far it is, now and then. Raises Ended when somebody ended it."""
        now = self._work.clock.monotonic()
        if now - self._noted < SECONDS_BETWEEN_NOTES:
            await asyncio.sleep(0)
            return
        self._noted = now
        async with self._work.workspace.ingest("export") as tx:
            goes_on = await approvals.advance(tx, self._row.id, done=self.count,
                                              total=max(self._frozen.expected, self.count))
            tx.publish("approval", self._row.id)
        if not goes_on:
            raise Ended("it was ended while it ran")

"""Forgetting one person: their messages and files, their contact, what the journal holds of them, what lies about
elsewhere, and last the room in the files where all that was.

In this order, each step of its own and written down, so that a crash anywhere is gone on from: tombstones · messages ·
contact · journal · records · the files anew. From the first on there is no way back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from chime import approvals, contacts, inbox
from chime.approvals import Ending, StandsNoMore, State
from chime.db import DatabaseFile
from chime.erasure import actions, journal, queries, questions
from chime.erasure.model import Erasure, Meant, Tombstone
from chime.jobs import Work
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces import Control, Transaction, Workspace, applied_upto, rewrite_files

# What a page of an encrypted file holds of a long value, and how many of them are filled at a time.
ROOM_OF_A_PAGE = 4_012
PAGES_AT_ONCE = 512
Heartbeat = Callable[[int], Awaitable[None]]


async def run(work: Work, erasure_id: str) -> None:
    """Run an approved erasure, or go on with one that began."""
    if await queries.erasure(work.workspace.db, erasure_id) is None and not await _begun(work, erasure_id):
        return

    async def beat(messages: int) -> None:
        async with work.workspace.ingest("erasure") as tx:
            await approvals.advance(tx, erasure_id, done=messages, total=messages)
            tx.publish("approval", erasure_id)

    await forget(work.workspace, erasure_id, beat)
    async with work.workspace.write(SYSTEM) as tx:
        counts = (await tx.one(_Counts, "SELECT counts_json FROM erasure WHERE id = ?", erasure_id)) or _Counts()
        await approvals.finish(tx, erasure_id, with_file=False, done=counts.counts.get("messages", 0))


class _Counts(msgspec.Struct, frozen=True):
    counts: dict[str, int] = {}


async def _begun(work: Work, erasure_id: str) -> bool:
    """Claim the approval, and write down who is meant; False when there is nothing to run."""
    workspace = work.workspace
    async with workspace.write(SYSTEM) as tx:
        row = await approvals.begin(tx, erasure_id)
    if row is None:
        return False
    try:
        await approvals.must_stand(work.control.db, workspace, row, work.clock.real_now())
    except StandsNoMore:
        return False
    contact_id = row.parameters["contact_id"]
    actor = msgspec.structs.replace(SYSTEM, on_behalf=row.person_id or row.key_id or "")
    if not await workspace.db.value("SELECT 1 FROM contact WHERE id = ?", contact_id):
        async with workspace.write(actor) as tx:
            await approvals.end(tx, await approvals.found(tx, erasure_id), State.FAILED, Ending.SUBJECT_GONE)
        return False
    await start(workspace, work.control, erasure_id, contact_id, actor=actor, requester=row.requester_name,
                approver=row.approver_name)
    return True


async def start(workspace: Workspace, control: Control, erasure_id: str, contact_id: str, *, actor: Actor,
                requester: str = "", approver: str = "") -> None:
    """The tombstones, in the journal and in control.db, before anything is removed."""
    key = contacts.marking_key(workspace.callback_key)
    contact_ids = await contacts.same_person(workspace.db, contact_id)
    known = await contacts.identities(workspace.db, contact_ids)
    refused = await contacts.refused_marketing(workspace.db, contact_ids)
    async with thoroughly(workspace, actor) as tx:
        stones = await actions.begin(tx, erasure_id, contact_ids=contact_ids, known=known, key=key, refused=refused,
                                     requester=requester, approver=approver)
    await tell_control(control, workspace.id, stones)


async def tell_control(control: Control, workspace_id: str, stones: Sequence[Tombstone]) -> None:
    """So that the whole folder put back from a backup is noticed too."""
    if not stones:
        return
    async with control.write(SYSTEM) as tx:
        for one in stones:
            await tx.execute("INSERT OR IGNORE INTO erased_subject (workspace_id, erasure_id, contact_id, mark, "
                             "opted_out, at) VALUES (?, ?, ?, ?, ?, ?)", workspace_id, one.erasure_id, one.contact_id,
                             one.mark, int(one.opted_out), one.at)
        await tx.audit("contact.erasure_recorded", "workspace", workspace_id, erasure_id=stones[0].erasure_id)


@asynccontextmanager
async def thoroughly(workspace: Workspace, actor: Actor | None = None) -> AsyncIterator[Transaction]:
    """A transaction whose deletions overwrite what they delete. Without an actor, a step of one that was audited."""
    context = workspace.write(actor) if actor is not None else workspace.ingest("erasure")
    async with context as tx:
        await tx.execute("PRAGMA secure_delete = ON")
        yield tx
        # The connection is everybody's; others need not write what they delete twice.
        await tx.execute("PRAGMA secure_delete = FAST")


async def forget(workspace: Workspace, erasure_id: str, beat: Heartbeat) -> None:
    """Everything after the tombstones."""
    erasure = await queries.erasure(workspace.db, erasure_id)
    if erasure is None or erasure.finished_at is not None:
        return
    contact_ids = await queries.needles(workspace.db, erasure_id, "contact")
    if erasure.rows_gone_at is None:
        await _forget_people(workspace, erasure_id, contact_ids, beat)
    await _forget_journal(workspace, erasure, beat)
    await _forget_rest(workspace, erasure_id)
    async with thoroughly(workspace) as tx:
        await actions.forget_needles(tx, erasure_id)
    rewritten = await leave_nothing(workspace)
    async with workspace.write(SYSTEM) as tx:
        await actions.finish(tx, erasure_id, rewritten=rewritten)


async def _forget_people(workspace: Workspace, erasure_id: str, contact_ids: Sequence[str], beat: Heartbeat) -> None:
    """Saved questions while it is known what they might say. Messages in short transactions; what comes in meanwhile
    goes with the last one."""
    async with thoroughly(workspace, SYSTEM) as tx:
        await questions.forget(workspace, tx, erasure_id, contact_ids)
    done = 0
    while doomed := await inbox.messages_of(workspace.db, contact_ids):
        files = await inbox.remove_files(workspace.db, workspace.files, doomed)
        async with thoroughly(workspace) as tx:
            await actions.forget_messages(tx, erasure_id, doomed, files=files)
        done += len(doomed)
        await beat(done)
        await asyncio.sleep(0)
    async with thoroughly(workspace) as tx:
        while doomed := await inbox.messages_of(tx, contact_ids):
            files = await inbox.remove_files(tx, workspace.files, doomed)
            await actions.forget_messages(tx, erasure_id, doomed, files=files)
        files = await inbox.remove_scheduled_files(tx, workspace.files, contact_ids)
        await actions.forget_rows(tx, erasure_id, contact_ids, files=files)


async def _forget_journal(workspace: Workspace, erasure: Erasure, beat: Heartbeat) -> None:
    """What was stored of the person and has been applied. What comes after is from somebody new."""
    meant = Meant(await queries.identities(workspace.db, erasure.id),
                  await queries.needles(workspace.db, erasure.id, "wamid"))
    last = await applied_upto(workspace.db)
    async for found in journal.take_out(workspace, meant, after=erasure.journal_upto, last=last):
        await forget_said(workspace, erasure.id, found)
        await beat(0)
    await journal.forget_sends(workspace, await queries.needles(workspace.db, erasure.id, "message"),
                               await queries.needles(workspace.db, erasure.id, "contact"))


async def forget_said(workspace: Workspace, erasure_id: str, found: journal.Found) -> None:
    """What a stretch of the journal told: keys of events, and messages that stand elsewhere (in groups)."""
    doomed = await inbox.messages_named(workspace.db, found.wamids)
    files = await inbox.remove_files(workspace.db, workspace.files, doomed)
    async with thoroughly(workspace) as tx:
        if doomed:
            await actions.forget_messages(tx, erasure_id, doomed, files=files)
        await actions.forget_events(tx, erasure_id, found)


async def _forget_rest(workspace: Workspace, erasure_id: str) -> None:
    """Raw records, kept answers, and exports that were made before."""
    meant = Meant(await queries.identities(workspace.db, erasure_id),
                  await queries.needles(workspace.db, erasure_id, "wamid"))
    ids = [one for kind in ("contact", "conversation") for one in await queries.needles(workspace.db, erasure_id, kind)]
    async with thoroughly(workspace, SYSTEM) as tx:
        await actions.forget_records(tx, erasure_id, meant, ids)
        ended = 0
        for (approval_id,) in await tx.rows("SELECT id FROM approval WHERE state IN ('running', 'ready') "
                                            "AND job IN ('exports.run', ?)", questions.ASKED_BY):
            await approvals.end(tx, await approvals.found(tx, approval_id), State.CANCELLED, Ending.ERASURE)
            ended += 1
        await actions.add(tx, erasure_id, exports=ended)
        await tx.audit("contact.traces_removed", "erasure", erasure_id, exports=ended)


async def leave_nothing(workspace: Workspace) -> bool:
    """What was changed or deleted, now or long ago, leaves pieces in the files: they are written anew, and where that
    cannot be their free room is filled with zeros. Whether they were written anew."""
    if await rewrite_files(workspace):
        return True
    for file in (workspace.db, workspace.journal_db):
        await _fill(file)
        await file.empty_log()
    return False


async def _fill(file: DatabaseFile) -> None:
    """A little at a time: webhooks wait for the same file."""
    room = int(await file.value("PRAGMA freelist_count"))
    while room > 0:
        pages = min(room, PAGES_AT_ONCE)
        async with file.transaction() as tx:
            await tx.execute_aside("INSERT INTO free_pages (content) VALUES (zeroblob(?))", pages * ROOM_OF_A_PAGE)
        room -= pages
        await asyncio.sleep(0)
    while await file.value("SELECT 1 FROM free_pages LIMIT 1"):
        async with file.transaction() as tx:
            await tx.execute_aside("DELETE FROM free_pages WHERE rowid = (SELECT min(rowid) FROM free_pages)")
        await asyncio.sleep(0)

"""Taking in the file of a workspace: everything is checked first, then a folder is made ready beside the others, and
one rename and one transaction later the workspace is here. It waits, muted, until somebody says that it goes live.

However the machine stops in between, either nothing is here but a folder that the next import removes, or all of it is.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from chime import audit
from chime.clock import Clock
from chime.db import DatabaseFile, Kind
from chime.db.copies import check_whole, exchange_ids, rows_by_table
from chime.db.migrate import migrate
from chime.errors import Conflict, Invalid
from chime.handover.keys import keys_of, roots_of
from chime.handover.model import FILES, JOURNAL, WORKSPACE, App, Description, NotTaken
from chime.handover.packing import need_room
from chime.handover.people import KEPT, Arrivals, arrivals, bring
from chime.handover.reading import Contents, examine, file_key, header_of, unpack
from chime.handover.server_code import server_code
from chime.ids import Ids
from chime.log import Log
from chime.security.passwords import Passwords
from chime.security.permissions import OPERATOR
from chime.security.vault import Secret
from chime.workspaces import Control, Transaction
from chime.workspaces.control import MUTED
from chime.workspaces.files import flush_names
from chime.workspaces.keys import WorkspaceKeys
from chime.workspaces.provision import free_slug
from chime.workspaces.registry import workspace_folder
from chime.workspaces.transaction import Writes

_COMING = ".coming-"
_log = Log("handover")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `is_final`: it was handed over to this server and to no other. `new_accounts`: who needs a reset
    link to get in; `held`: messages that wait for a person's word because another server may have sent them;
    `audit_ok`: whether the trail was what the other server had signed."""

    workspace_id: str
    name: str
    slug: str
    is_final: bool
    people: int
    new_accounts: tuple[str, ...]
    held: int
    audit_ok: bool


class _Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A folder whose files are as they shall be."""

    folder: Path
    who: Arrivals
    held: int
    audit_ok: bool


async def take_in(control: Control, source: Path, passphrase: str, *, name: str | None, ids: Ids) -> Imported:
    """Raises NotTaken, Conflict, Invalid, DiskNearlyFull, StorageUnavailable; nothing is here then."""
    data_dir = control.keys.data_dir
    header = await asyncio.to_thread(header_of, source)
    await _must_be_free(control, header.workspace_id)
    key = await asyncio.to_thread(file_key, source, passphrase)
    contents = await asyncio.to_thread(examine, source, key)
    is_final = contents.description.is_final and contents.description.handed_to == await server_code(control, ids)
    named = await _name(control, name or contents.description.name)
    need_room(data_dir, contents.size, "for what is in the file")
    with _only_import(data_dir):
        target = workspace_folder(data_dir, header.workspace_id)
        folder = target.with_name(f"{_COMING}{header.workspace_id}")
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        try:
            await asyncio.to_thread(_put, source, key, folder)
            ready = await _make_ready(control, contents, folder, ids, is_final=is_final)
            await asyncio.to_thread(_move, folder, target)
            slug = await _register(control, contents, ready, named, ids, is_final=is_final)
        except BaseException:
            if not await control.db.value("SELECT 1 FROM workspace WHERE id = ?", header.workspace_id):
                await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    _log.info("workspace.imported", workspace_id=header.workspace_id)
    emails = {person.id: person.email for person in contents.description.people}
    return Imported(workspace_id=header.workspace_id, name=named, slug=slug, is_final=is_final,
                    people=len(emails), new_accounts=tuple(emails[person] for person in ready.who.unknown),
                    held=ready.held, audit_ok=ready.audit_ok)


async def _must_be_free(control: Control, workspace_id: str) -> None:
    state = await control.db.value("SELECT state FROM workspace WHERE id = ?", workspace_id)
    if state == "erased":
        raise Conflict("This workspace was erased here, and stays so; the file can be imported on another server.")
    if state is not None:
        raise Conflict("This workspace is here already. To go back to an earlier moment use `chime backup restore`.")


async def _name(control: Control, name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 80:
        raise Invalid.field("as", "Give the workspace a name of at most 80 characters.")
    if await control.db.value("SELECT 1 FROM workspace WHERE name = ?", name):
        raise Conflict(f"There is a workspace named {name!r} here already; give it another name with `--as NAME`.")
    return name


@contextmanager
def _only_import(data_dir: Path) -> Iterator[None]:
    """Two at once would remove each other's folder. Raises Conflict."""
    descriptor = os.open(data_dir / "workspaces", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Conflict("Another import is under way here; wait for it.") from error
    finally:
        os.close(descriptor)


def _put(source: Path, key: bytes, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / FILES).mkdir(mode=0o700)
    unpack(source, key, folder)


async def _make_ready(control: Control, contents: Contents, folder: Path, ids: Ids, *, is_final: bool) -> _Ready:
    """Prove that the files open and hold what the list says, bring them up to date, and make them this server's."""
    description, header = contents.description, contents.header
    keys = keys_of(description, header.workspace_id)
    await asyncio.to_thread(_must_hold, contents, folder, keys)
    await asyncio.to_thread(migrate, folder / WORKSPACE, keys.workspace_file, Kind.WORKSPACE)
    await asyncio.to_thread(migrate, folder / JOURNAL, keys.journal_file, Kind.JOURNAL)
    fresh = {person.id: ids.new(header.made_at) for person in description.people}
    who = await arrivals(control.db, description, fresh)
    app_ids = {app.id: await control.db.value("SELECT id FROM meta_app WHERE app_id = ?", app.app_id) or app.id
               for app in description.apps}
    exchanged = who.exchanged | {old: new for old, new in app_ids.items() if old != new}
    await asyncio.to_thread(exchange_ids, folder / WORKSPACE, keys.workspace_file, exchanged, but=KEPT)
    file = await DatabaseFile.open(folder / WORKSPACE, keys.workspace_file)
    try:
        if await file.value("SELECT value FROM meta WHERE key = 'workspace_id'") != header.workspace_id:
            raise NotTaken("The file holds another workspace than it says.")
        held, audit_ok = await _settle(control, contents, file, ids, is_final=is_final)
    finally:
        await file.close()
    return _Ready(folder=folder, who=who, held=held, audit_ok=audit_ok)


def _must_hold(contents: Contents, folder: Path, keys: WorkspaceKeys) -> None:
    rows = {part.name: part.rows for part in contents.manifest.parts}
    for name, key in ((WORKSPACE, keys.workspace_file), (JOURNAL, keys.journal_file)):
        check_whole(folder / name, key)
        if rows_by_table(folder / name, key) != rows[name]:
            raise NotTaken(f"{name} in the file does not hold what the list says; make a new one.")


async def _settle(control: Control, contents: Contents, file: DatabaseFile, ids: Ids, *, is_final: bool
                  ) -> tuple[int, bool]:
    """What another server may go on with must not happen twice: what it was about to send waits for a person's word,
    unless the workspace was handed over to this one; what somebody asked for there is at an end."""
    clock = Clock()
    upto = await control.db.value("SELECT max(sequence) FROM audit_event") or 0
    async with Writes(file, clock, ids, lambda committed: None).write(OPERATOR) as tx:
        signed = await audit.sign_again(tx, control, contents.description.audit_key)
        held = await _hold(tx, is_final=is_final)
        # An erasure that has begun goes on to its end, here too.
        await tx.execute("UPDATE approval SET state = 'cancelled', ended_at = ? WHERE ended_at IS NULL "
                         "AND (kind <> 'erasure' OR state <> 'running')", tx.audited_at)
        await tx.execute("UPDATE export_file SET removed_at = ? WHERE removed_at IS NULL", tx.audited_at)
        # How far the other installation's trail was copied into this one says nothing of ours.
        await tx.execute("INSERT INTO meta (key, value) VALUES ('control_trail', ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", str(upto))
        key = contents.description.audit_key
        await tx.audit("workspace.imported", "workspace", contents.header.workspace_id,
                       export_id=contents.header.export_id, held=held, is_final=is_final,
                       signed_by=key.hex() if key else "", checkpoints=signed.good, not_signed=signed.bad)
    return held, not signed.bad


async def _hold(tx: Transaction, *, is_final: bool) -> int:
    """A send that was under way is in doubt in any case."""
    states = ("sending", "sending") if is_final else ("sending", "queued")
    held = await tx.execute("UPDATE message SET status = 'unconfirmed', claimed_at = coalesce(claimed_at, ?), "
                            "next_attempt_at = NULL WHERE status IN (?, ?)", tx.now, *states)
    if not is_final:
        held += await tx.execute("UPDATE scheduled_message SET state = 'held' WHERE state = 'waiting'")
    return held


def _move(folder: Path, target: Path) -> None:
    """A folder without a row in control.db is what a killed import left."""
    for path in (folder / WORKSPACE, folder / JOURNAL):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    flush_names(folder)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    flush_names(target.parent)


async def _register(control: Control, contents: Contents, ready: _Ready, name: str, ids: Ids, *, is_final: bool
                    ) -> str:
    """Say in control.db that there is such a workspace: all of it in one transaction. Its slug."""
    header, description = contents.header, contents.description
    passwords = Passwords(control.keys.pepper, ids)
    try:
        unknown = await passwords.hash_again(ids.token(32))
    finally:
        passwords.close()
    async with control.write(OPERATOR) as tx:
        await _must_be_free(control, header.workspace_id)
        fresh = {person.id: ready.who.ids[person.id] for person in description.people}
        if await arrivals(tx, description, fresh) != ready.who:
            raise Conflict("Somebody's account was made or removed here at this moment; import the file again.")
        slug = await free_slug(tx, name)
        await tx.execute("INSERT INTO workspace (id, slug, name, state, time_zone, created_at) "
                         "VALUES (?, ?, ?, ?, ?, ?)", header.workspace_id, slug, name, MUTED, description.time_zone,
                         description.created_at)
        await _keep_keys(tx, control, header.workspace_id, description)
        await bring(tx, header.workspace_id, description, ready.who, unknown_password=unknown)
        for app in description.apps:
            if not await tx.value("SELECT 1 FROM meta_app WHERE app_id = ?", app.app_id):
                await _keep_app(tx, control, app, ids)
        for one in description.forgotten:
            await tx.execute("INSERT INTO erased_subject (workspace_id, erasure_id, contact_id, mark, opted_out, at) "
                             "VALUES (?, ?, ?, ?, ?, ?)", header.workspace_id, one.erasure_id, one.contact_id, one.mark,
                             one.opted_out, one.at)
        await tx.execute("INSERT INTO workspace_move (workspace_id, direction, at, is_final) VALUES (?, 'in', ?, ?)",
                         header.workspace_id, tx.audited_at, int(is_final))
        await tx.audit("workspace.imported", "workspace", header.workspace_id, export_id=header.export_id,
                       people=len(ready.who.ids), new_accounts=len(ready.who.unknown))
    return slug


async def _keep_keys(tx: Transaction, control: Control, workspace_id: str, description: Description) -> None:
    """Under this installation's own keys from now on."""
    roots = roots_of(description)
    for root in description.roots:
        wrapped = control.keys.wrap(roots[root.version], workspace_id, root.version)
        await tx.execute("INSERT INTO workspace_key (workspace_id, version, wrapped, created_at, retired_at) "
                         "VALUES (?, ?, ?, ?, ?)", workspace_id, root.version, wrapped, root.created_at,
                         root.retired_at)
    for use in description.uses:
        await tx.execute("INSERT INTO key_purpose (workspace_id, purpose, version, changed_at) VALUES (?, ?, ?, ?)",
                         workspace_id, use.purpose, use.version, tx.now)
    if description.policy_text is not None:
        await tx.execute("INSERT INTO workspace_policy (workspace_id, policy_json, owner_policy_json) "
                         "VALUES (?, ?, ?)", workspace_id, description.policy_text, description.owner_policy_text)


async def _keep_app(tx: Transaction, control: Control, app: App, ids: Ids) -> None:
    """The Meta app with the path it had, when that is free here: with the host's name moved, Meta needs no other."""
    def sealed(value: str, column: str) -> bytes:
        return control.vault.seal(value, table="meta_app", row=app.id, column=column)

    taken = await tx.value("SELECT 1 FROM meta_app WHERE app_key = ?", app.app_key)
    before = app.previous_secret
    await tx.execute(
        "INSERT INTO meta_app (id, app_id, app_key, app_secret_sealed, verify_token_sealed, created_at, "
        "previous_app_secret_sealed, app_secret_last_four, verify_token_last_four) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        app.id, app.app_id, ids.code() if taken else app.app_key, sealed(app.secret, "app_secret"),
        sealed(app.verify_token, "verify_token"), tx.now,
        None if before is None else sealed(before, "previous_app_secret"), Secret(app.secret).last_four,
        Secret(app.verify_token).last_four)
    await tx.audit("meta_app.stored", "meta_app", app.id, secrets_given=True)

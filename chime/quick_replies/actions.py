"""What can be done with quick replies. Each asks for itself whether the actor may."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.quick_replies import queries
from chime.quick_replies.model import (
    MOST_FILES,
    UNDO_FOR,
    NewReply,
    QuickReply,
    Scope,
    StoredFile,
    checked,
    may_change,
    reader,
)
from chime.workspaces import Transaction

FORGET = "quick_replies.forget"
MOST_REPLIES = 2_000


async def create(tx: Transaction, new: NewReply, files: Sequence[StoredFile] = ()) -> str:
    """Its id. Raises Invalid, Forbidden, Conflict."""
    new = checked(new, has_files=bool(files))
    _must_change(tx, new.scope, new.team_id)
    if await tx.value("SELECT count(*) FROM quick_reply WHERE deleted_at IS NULL") >= MOST_REPLIES:
        raise Conflict("A workspace has at most 2,000 quick replies.")
    await _must_be_free(tx, new.code, besides="")
    reply_id = tx.new_id()
    await tx.execute(
        "INSERT INTO quick_reply (id, code, title, category, text, words, scope, owner_id, team_id, created_at, "
        "updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)", reply_id, new.code, new.title,
        new.category, new.text, new.words, new.scope.value, _owner(tx, new.scope), new.team_id, tx.now)
    await _add(tx, reply_id, files)
    await tx.audit("quick_reply.created", "quick_reply", reply_id, scope=new.scope.value, files=len(files))
    return reply_id


async def create_all(tx: Transaction, rows: Sequence[NewReply]) -> None:
    """All of them or none. Raises Invalid naming every row that does not fit, Conflict."""
    problems: list[tuple[str, str]] = []
    for number, row in enumerate(rows, start=2):  # the first line holds the names of the columns
        try:
            await create(tx, row)
        except Invalid as error:
            problems += [(f"{number}, {problem.field}", problem.message) for problem in error.errors]
        except Forbidden as error:
            problems.append((f"{number}, scope", str(error)))
    if problems:
        raise Invalid(problems)


async def edit(tx: Transaction, reply_id: str, new: NewReply, *, added: Sequence[StoredFile] = (),
               dropped: Collection[str] = ()) -> None:
    """Everything of it, also whose it is. Raises NotFound, Forbidden, Invalid."""
    known = await _changeable(tx, reply_id)
    kept = [file for file in known.files if file.id not in dropped]
    new = checked(new, has_files=bool(kept or added))
    _must_change(tx, new.scope, new.team_id)
    await _must_be_free(tx, new.code, besides=reply_id)
    if len(kept) + len(added) > MOST_FILES:
        raise Invalid.field("files", "A quick reply has at most 10 files.")
    await tx.execute(
        "UPDATE quick_reply SET code = ?, title = ?, category = ?, text = ?, words = ?, scope = ?, owner_id = ?, "
        "team_id = ?, updated_at = ? WHERE id = ?", new.code, new.title, new.category, new.text, new.words,
        new.scope.value, _owner(tx, new.scope), new.team_id, tx.now, reply_id)
    for file in known.files:
        if file.id in dropped:
            await tx.execute("UPDATE quick_reply_file SET dropped_at = ? WHERE id = ?", tx.now, file.id)
    await _add(tx, reply_id, added)
    if len(kept) < len(known.files):
        tx.enqueue(FORGET, reply_id)
    await tx.audit("quick_reply.edited", "quick_reply", reply_id, scope=new.scope.value, was=known.scope.value,
                   files=len(kept) + len(added))


async def delete(tx: Transaction, reply_id: str) -> None:
    """It can be had back for an hour. Raises NotFound, Forbidden."""
    known = await _changeable(tx, reply_id)
    await tx.execute("UPDATE quick_reply SET deleted_at = ? WHERE id = ?", tx.now, reply_id)
    await tx.audit("quick_reply.deleted", "quick_reply", reply_id, scope=known.scope.value)
    tx.enqueue(FORGET, reply_id, at=tx.now + UNDO_FOR + 1)


async def restore(tx: Transaction, reply_id: str) -> None:
    """Have a deleted one back. Raises NotFound, Forbidden, Invalid when its code is another's meanwhile."""
    known = await queries.reply(tx, reader(tx.actor), reply_id, deleted_since=tx.now - UNDO_FOR)
    if known is None:
        raise NotFound("There is no such quick reply, or it is gone for good.")
    _must_change(tx, known.scope, known.team_id)
    await _must_be_free(tx, known.code, besides=reply_id)
    await tx.execute("UPDATE quick_reply SET deleted_at = NULL WHERE id = ?", reply_id)
    await tx.audit("quick_reply.restored", "quick_reply", reply_id, scope=known.scope.value)


async def note_use(tx: Transaction, reply_id: str, conversation_id: str) -> None:
    """Somebody put it into an answer. Raises NotFound."""
    if await queries.reply(tx, reader(tx.actor), reply_id) is None:
        raise NotFound("There is no such quick reply.")
    await tx.execute("UPDATE quick_reply SET used_count = used_count + 1, used_at = ? WHERE id = ?", tx.now, reply_id)
    await tx.audit("quick_reply.used", "quick_reply", reply_id, conversation_id=conversation_id)


async def forget(tx: Transaction, reply_id: str) -> None:
    """Remove what is to go for good; the bytes of its files are gone already."""
    gone = await tx.execute("DELETE FROM quick_reply WHERE id = ? AND deleted_at < ?", reply_id, tx.now - UNDO_FOR)
    dropped = await tx.execute("DELETE FROM quick_reply_file WHERE reply_id = ? AND dropped_at IS NOT NULL", reply_id)
    if gone or dropped:
        await tx.audit("quick_reply.removed", "quick_reply", reply_id, whole=bool(gone), files=dropped)


async def _changeable(tx: Transaction, reply_id: str) -> QuickReply:
    known = await queries.reply(tx, reader(tx.actor), reply_id)
    if known is None:
        raise NotFound("There is no such quick reply.")
    _must_change(tx, known.scope, known.team_id)
    return known


def _must_change(tx: Transaction, scope: Scope, team_id: str | None) -> None:
    if may_change(tx.actor, scope, team_id):
        return
    if scope is Scope.TEAM:
        raise Forbidden("You can make and change quick replies only of teams of your own, if at all.")
    raise Forbidden("You can make and change only quick replies of your own.")


def _owner(tx: Transaction, scope: Scope) -> str | None:
    return reader(tx.actor).person_id if scope is Scope.PERSONAL else None


async def _must_be_free(tx: Transaction, code: str, *, besides: str) -> None:
    """Among what its maker sees; two people may call different things the same."""
    if await queries.is_code_taken(tx, reader(tx.actor), code, besides=besides):
        raise Invalid.field("code", "There is a quick reply with this shortcut already.")


async def _add(tx: Transaction, reply_id: str, files: Sequence[StoredFile]) -> None:
    if len(files) > MOST_FILES:
        raise Invalid.field("files", "A quick reply has at most 10 files.")
    last = await tx.value("SELECT coalesce(max(position), 0) FROM quick_reply_file WHERE reply_id = ?", reply_id)
    for place, file in enumerate(files, start=last + 1):
        await tx.execute(
            "INSERT INTO quick_reply_file (id, reply_id, position, kind, mime_type, filename, size, sha256, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", file.id, reply_id, place, file.kind, file.mime_type,
            file.filename, file.size, file.sha256, tx.now)

"""Reading quick replies: only what a reader has, and of deleted ones only to have them back."""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.quick_replies.model import UNDO_FOR, QuickReply, Reader, ReplyFile, Scope

_COLUMNS = ("id, code, title, category, text, scope, owner_id, team_id, used_count, used_at, created_at, updated_at "
            "FROM quick_reply WHERE ")
# ?1 the person, ?2 whether every team is theirs, ?3 their teams.
_SEEN = ("(scope = 'everyone' OR (scope = 'personal' AND owner_id = ?1) OR (scope = 'team' AND (?2 OR team_id IN "
         "(SELECT value FROM json_each(?3)))))")
FIRST = ""
PAGE = 50


def _who(reader: Reader) -> tuple[str, int, str]:
    return reader.person_id, int(reader.sees_every_team), reader.teams_json


async def reply(db: Db, reader: Reader, reply_id: str, *, deleted_since: int | None = None) -> QuickReply | None:
    """One that is in sight; with a moment, one that was deleted since then."""
    found = await db.one(QuickReply, f"SELECT {_COLUMNS} id = ?4 AND {_SEEN} "
                         "AND CASE WHEN ?5 IS NULL THEN deleted_at IS NULL ELSE deleted_at >= ?5 END",
                         *_who(reader), reply_id, deleted_since)
    return (await _with_files(db, [found]))[0] if found else None


async def replies(db: Db, reader: Reader, *, search: str = "", scope: Scope | None = None, category: str | None = None,
                  after: str = FIRST, limit: int = PAGE) -> list[QuickReply]:
    """In the order of their codes, after the one of this id."""
    found = await db.all(
        QuickReply, f"SELECT {_COLUMNS} deleted_at IS NULL AND {_SEEN} AND instr(words, ?4) > 0 "
        "AND ?5 IN ('', scope) AND (?6 IS NULL OR category = ?6) "
        "AND (?7 = '' OR (code, id) > (SELECT code, id FROM quick_reply WHERE id = ?7)) ORDER BY code, id LIMIT ?8",
        *_who(reader), search.strip().casefold(), scope.value if scope else "", category, after, limit)
    return await _with_files(db, found)


async def replies_by_id(db: Db, reader: Reader, *, after: str, limit: int) -> list[QuickReply]:
    """In the order in which they were made."""
    found = await db.all(QuickReply, f"SELECT {_COLUMNS} deleted_at IS NULL AND {_SEEN} AND id > ?4 ORDER BY id "
                         "LIMIT ?5", *_who(reader), after, limit)
    return await _with_files(db, found)


async def offered(db: Db, reader: Reader, typed: str, *, limit: int) -> list[QuickReply]:
    """What fits the letters after a slash: first what is called so, then what begins so, then what holds them; one's
    own before others', and what was used last on top."""
    found = await db.all(
        QuickReply, f"SELECT {_COLUMNS} deleted_at IS NULL AND {_SEEN} AND instr(words, ?4) > 0 "
        "ORDER BY code <> ?4, instr(code, ?4) <> 1, scope = 'everyone', scope = 'team', coalesce(used_at, 0) DESC, "
        "code, id LIMIT ?5", *_who(reader), typed.casefold(), limit)
    return await _with_files(db, found)


async def categories(db: Db, reader: Reader) -> list[str]:
    return [row[0] for row in await db.rows(
        f"SELECT DISTINCT category FROM quick_reply WHERE deleted_at IS NULL AND {_SEEN} AND category <> '' "
        "ORDER BY category LIMIT 100", *_who(reader))]


async def is_code_taken(db: Db, reader: Reader, code: str, *, besides: str) -> bool:
    return bool(await db.value(f"SELECT 1 FROM quick_reply WHERE deleted_at IS NULL AND {_SEEN} AND code = ?4 "
                               "AND id <> ?5", *_who(reader), code, besides))


async def file(db: Db, reader: Reader, file_id: str) -> ReplyFile | None:
    """A file of one that is in sight."""
    found = await db.one(_Row, "SELECT id, reply_id, kind, mime_type, filename, size FROM quick_reply_file "
                         "WHERE id = ? AND dropped_at IS NULL", file_id)
    return found if found and await reply(db, reader, found.reply_id) else None


class _Row(ReplyFile, frozen=True, kw_only=True):
    reply_id: str


async def _with_files(db: Db, found: list[QuickReply]) -> list[QuickReply]:
    rows = await db.all(_Row, "SELECT id, reply_id, kind, mime_type, filename, size FROM quick_reply_file "
                        "WHERE reply_id IN (SELECT value FROM json_each(?)) AND dropped_at IS NULL ORDER BY position",
                        msgspec.json.encode([one.id for one in found]).decode()) if found else []
    return [msgspec.structs.replace(one, files=tuple(row for row in rows if row.reply_id == one.id)) for one in found]


async def due(db: Db, now: int) -> list[str]:
    """Those of which something is to be removed for good."""
    return [row[0] for row in await db.rows(
        "SELECT id FROM quick_reply WHERE deleted_at < ?1 UNION "
        "SELECT reply_id FROM quick_reply_file WHERE dropped_at IS NOT NULL LIMIT 200", now - UNDO_FOR)]


async def doomed_files(db: Db, reply_id: str, now: int) -> list[str]:
    """The files of it that are to go: all when it was deleted for good, else those that were dropped."""
    return [row[0] for row in await db.rows(
        "SELECT quick_reply_file.id FROM quick_reply_file JOIN quick_reply ON quick_reply.id = reply_id "
        "WHERE reply_id = ? AND (dropped_at IS NOT NULL OR deleted_at < ?)", reply_id, now - UNDO_FOR)]

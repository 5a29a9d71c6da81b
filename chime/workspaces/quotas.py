"""What a workspace may use of this server: room, messages a day, members, numbers. Operators set it.

The quota stands in control.db; what a workspace's own transactions must ask (messages a day, room) is copied into its
file, so that they need no second one. Promise: nothing that comes in is ever refused for a quota; whoever meets one
reads what to do. `NULL` is as much as the server has. A day is one of UTC.
"""

from __future__ import annotations

import msgspec

from chime.clock import DAY, as_datetime
from chime.db import Db, LongReads
from chime.errors import Invalid, Refused, Unavailable
from chime.workspaces.transaction import Transaction

CODE = "quota"
_KEY = "SELECT value FROM meta WHERE key = ?"
_COUNT = ("SELECT direction, count(*) FROM message WHERE sequence >= ? AND sequence < ? AND type <> 'reaction' "
          "GROUP BY direction")
# More messages than this are not counted on the loop: those of a busy day take a tenth of a second.
FEW = 2_000
LONGEST = 60.0
_PUT = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_COPY, _SENT = "quota", "quota_sent"
_MEMBERS = ("SELECT (SELECT count(*) FROM membership WHERE workspace_id = ?1) "
            "+ (SELECT count(*) FROM invitation WHERE workspace_id = ?1 AND accepted_at IS NULL "
            "AND revoked_at IS NULL AND expires_at > ?2)")


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """The most of each; None for no limit."""

    bytes: int | None = None
    messages: int | None = None
    members: int | None = None
    numbers: int | None = None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages came in and went out from a moment on, and the number of the first that is not among them."""

    since: int
    following: int
    received: int = 0
    sent: int = 0


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """What the workspace's own file says of it."""

    messages: int | None = None
    is_full: bool = False


async def quota_of(control: Db, workspace_id: str) -> Quota:
    """What stands in control.db."""
    return await control.one(Quota, "SELECT bytes, messages, members, numbers FROM workspace_quota "
                             "WHERE workspace_id = ?", workspace_id) or Quota()


async def need_member(control: Db, workspace_id: str, now: int, *, invited: bool = False) -> None:
    """Before somebody is invited, who then counts; or, `invited` and so counted, accepts. Raises Refused."""
    most = (await quota_of(control, workspace_id)).members
    if most is not None and await control.value(_MEMBERS, workspace_id, now) >= most + invited:
        raise Refused("This workspace has as many members and open invitations as it may have. Remove one, or ask "
                      "whoever runs this server for more.", code=CODE)


async def need_number(control: Db, workspace_id: str) -> None:
    """Before a number is connected. Raises Refused."""
    most = (await quota_of(control, workspace_id)).numbers
    connected = "SELECT count(*) FROM channel_route WHERE workspace_id = ?"
    if most is not None and await control.value(connected, workspace_id) >= most:
        raise Refused("This workspace has as many numbers as it may have. Remove one, or ask whoever runs this server "
                      "for more.", code=CODE)


async def need_room(db: Db) -> None:
    """Before somebody stores a file; `db` is the workspace's. Raises Invalid naming `file`."""
    if (await copy_of(db)).is_full:
        raise Invalid.field("file", "This workspace has no room left for files. Delete what is not needed, or ask "
                                    "whoever runs this server for more.")


async def count_sent(tx: Transaction) -> None:
    """One more message goes out today; `tx` is the workspace's. Raises Refused when that is one too many."""
    most = (await copy_of(tx)).messages
    if most is None:
        return
    day = day_of(tx.now)
    kept_day, _, kept = str(await tx.value(_KEY, _SENT) or "").partition(" ")
    sent = int(kept) if kept_day == day else (await counted(tx, start_of(tx.now)))[1]
    if sent >= most:
        raise Refused("This workspace has sent as many messages today as it may. It can go on tomorrow; whoever runs "
                      "this server can allow more.", code=CODE)
    await tx.execute(_PUT, _SENT, f"{day} {sent + 1}")


async def copy_of(db: Db) -> Copy:
    """What the workspace's file says."""
    text = await db.value(_KEY, _COPY)
    return msgspec.json.decode(text, type=Copy) if text else Copy()


async def put_copy(tx: Transaction, copy: Copy) -> None:
    """Into the workspace's file. What was counted before is counted anew: messages were not while there was no
    limit."""
    await tx.execute(_PUT, _COPY, msgspec.json.encode(copy).decode())
    await tx.execute("DELETE FROM meta WHERE key = ?", _SENT)
    await tx.audit("quota.set", "workspace", "", messages=copy.messages, is_full=copy.is_full)


async def counted(db: Db, since: int, until: int | None = None, *, aside: LongReads | None = None) -> tuple[int, int]:
    """How many messages came in and went out from one moment to another, without the reactions. It reads no more than
    these: their numbers are found by halving. Many are read `aside`; raises Unavailable when that takes too long."""
    first = await _first_since(db, since)
    return await _between(db, first, await _first_since(db, until) if until is not None else await _newest(db) + 1,
                          aside)


async def counted_on(db: Db, since: int, before: Tally | None, *, aside: LongReads) -> Tally:
    """The same from a moment until now. Of what was counted `before` from that moment on nothing is read again."""
    following = await _newest(db) + 1
    if before is None or before.since != since or following < before.following:  # another day, or an older file
        before = Tally(since=since, following=await _first_since(db, since))
    received, sent = await _between(db, before.following, following, aside)
    return Tally(since=since, following=following, received=before.received + received, sent=before.sent + sent)


async def _between(db: Db, first: int, last: int, aside: LongReads | None) -> tuple[int, int]:
    if aside is not None and last - first > FEW:
        # Each page is read once: what is kept of them is memory taken anew each minute of a busy day.
        rows, is_all = await aside.rows(_COUNT, first, last, seconds=LONGEST, sparingly=True)
        if not is_all:
            raise Unavailable("The messages of a day could not be counted in time.")
    else:
        rows = await db.rows(_COUNT, first, last)
    found: dict[str, int] = dict(rows)
    return found.get("in", 0), found.get("out", 0)


async def _newest(db: Db) -> int:
    return int(await db.value("SELECT max(sequence) FROM message") or 0)


async def _first_since(db: Db, moment: int) -> int:
    """The number of the first message stored at this moment or later."""
    low, high = 0, await _newest(db) + 1
    while low < high:
        middle = (low + high) // 2
        rows = await db.rows("SELECT sequence, created_at FROM message WHERE sequence >= ? ORDER BY sequence LIMIT 1",
                             middle)
        if not rows or rows[0][1] >= moment:
            high = middle
        else:
            low = rows[0][0] + 1
    return low


def day_of(now: int) -> str:
    return f"{as_datetime(now):%Y-%m-%d}"


def start_of(now: int) -> int:
    return now - now % DAY

"""Reading the trail: pages of it for people, its rows in order for whoever examines it, and what was signed."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.audit.model import LATEST, Alarm, Checkpoint, Event, Filter
from chime.db import Db

_EVENT = ("SELECT sequence, at, actor_kind, actor_id, actor_name, on_behalf, session_id, address, agent_hash, action, "
          "object_kind, object_id, result, details_json, hash FROM audit_event WHERE sequence < ? AND sequence >= ?")
_RAW = ("SELECT sequence, form, at, actor_kind, actor_id, actor_name, on_behalf, session_id, address, agent_hash, "
        "action, object_kind, object_id, result, details_json, previous_hash, hash FROM audit_event ")
MOST_PEOPLE = 500


async def page(db: Db, wanted: Filter, *, before: int = LATEST, limit: int) -> list[Event]:
    """Rows of the filter, the newest first."""
    if not wanted.action.endswith("."):
        return await _page(db, wanted, before, limit)
    # Each action by itself is a walk along an index; all of a kind together would be a sort.
    found: list[Event] = []
    for action in await actions(db, wanted.action):
        found += await _page(db, msgspec.structs.replace(wanted, action=action), before, limit)
    return sorted(found, key=lambda row: -row.sequence)[:limit]


async def _page(db: Db, wanted: Filter, before: int, limit: int) -> list[Event]:
    first, last = await _span(db, wanted)
    by_action = " AND action = ?" if wanted.action else ""
    by_actor = " AND actor_id = ?" if wanted.actor_id else ""
    by_object = " AND object_kind = ? AND object_id = ?" if wanted.object_id else ""
    by_result = " AND result = ?" if wanted.result else ""
    named = (wanted.action, wanted.actor_id, *((wanted.object_kind, wanted.object_id) if wanted.object_id else ()),
             wanted.result)
    return await db.all(Event, f"{_EVENT}{by_action}{by_actor}{by_object}{by_result} ORDER BY sequence DESC LIMIT ?",
                        min(before, last), first, *[value for value in named if value], limit)


async def _span(db: Db, wanted: Filter) -> tuple[int, int]:
    """The sequence numbers between two moments. Rows stand in the order of time, so a few looks find them."""
    first = 0 if wanted.since is None else await _first_from(db, wanted.since)
    last = LATEST if wanted.until is None else await _first_from(db, wanted.until)
    return first, last


async def _first_from(db: Db, moment: int) -> int:
    """The first row that is not older than `moment`. The machine's clock may have been put back in between: a row or
    two at the edge may then stand on the other side."""
    low, high = await first_kept(db), await size(db) + 1
    while low < high:
        middle = (low + high) // 2
        at = await db.value("SELECT at FROM audit_event WHERE sequence >= ? ORDER BY sequence LIMIT 1", middle)
        if at is None or at >= moment:
            high = middle
        else:
            low = middle + 1
    return low


async def event(db: Db, sequence: int) -> Event | None:
    return await db.one(Event, f"{_EVENT}", sequence + 1, sequence)


async def size(db: Db) -> int:
    """How many rows there ever were."""
    return int(await db.value("SELECT max(sequence) FROM audit_event") or 0)


async def first_kept(db: Db) -> int:
    """The number of the oldest row that is still here."""
    return int(await db.value("SELECT min(sequence) FROM audit_event") or 1)


async def cut_to(db: Db) -> int:
    """How many rows of the beginning were taken away in time; a multiple of a tile."""
    return int(await db.value("SELECT value FROM meta WHERE key = 'audit_cut_to'") or 0)


async def rows(db: Db, after: int, limit: int) -> list[tuple[Any, ...]]:
    """The next rows in order, whole, as they are hashed."""
    return await db.rows(f"{_RAW}WHERE sequence > ? ORDER BY sequence LIMIT ?", after, limit)


async def hash_of_row(db: Db, sequence: int) -> bytes | None:
    found: bytes | None = await db.value("SELECT hash FROM audit_event WHERE sequence = ?", sequence)
    return found


async def leaves(db: Db, after: int, upto: int) -> list[tuple[int, int, bytes]]:
    """Sequence, form and hash of the rows after one and up to another."""
    return await db.rows("SELECT sequence, form, hash FROM audit_event WHERE sequence > ? AND sequence <= ? "
                         "ORDER BY sequence", after, upto)


async def tiles(db: Db, below: int) -> list[bytes]:
    """The roots of the first tiles, as far as they follow each other."""
    found = await db.rows("SELECT number, root FROM audit_tile WHERE number < ? ORDER BY number", below)
    return [root for place, (number, root) in enumerate(found) if place == number]


async def checkpoints(db: Db, *, after: int = -1) -> list[Checkpoint]:
    """Everything signed, the smallest first."""
    return await db.all(Checkpoint, "SELECT size, at, note FROM audit_checkpoint WHERE size > ? ORDER BY size", after)


async def newest_checkpoint(db: Db) -> Checkpoint | None:
    return await db.one(Checkpoint, "SELECT size, at, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")


async def checkpoint_for(db: Db, sequence: int) -> Checkpoint | None:
    """The first one that stands for this row."""
    return await db.one(Checkpoint, "SELECT size, at, note FROM audit_checkpoint WHERE size >= ? ORDER BY size LIMIT 1",
                        sequence)


async def anchored(control: Db, workspace_id: str) -> Checkpoint | None:
    """The newest checkpoint of a workspace's trail as control.db remembers it."""
    return await control.one(Checkpoint, "SELECT size, at, note FROM audit_anchor WHERE workspace_id = ?", workspace_id)


async def alarm(db: Db) -> Alarm | None:
    """Why nothing is signed any more, if so."""
    return await db.one(Alarm, "SELECT json_extract(value, '$.at') AS at, json_extract(value, '$.reason') AS reason, "
                               "json_extract(value, '$.first_bad') AS first_bad FROM meta WHERE key = 'audit_alarm'")


async def unsigned_since(db: Db) -> int | None:
    """When the oldest row was written that no checkpoint stands for; None when there is none."""
    signed = int(await db.value("SELECT max(size) FROM audit_checkpoint") or 0)
    found: int | None = await db.value("SELECT at FROM audit_event WHERE sequence > ? ORDER BY sequence LIMIT 1",
                                       signed)
    return found


async def actions(db: Db, kind: str = "") -> list[str]:
    """Every action of this trail (that begins so), by a look from one to the next in its index."""
    found: list[str] = []
    action = kind
    while True:
        action = await db.value("SELECT action FROM audit_event WHERE action > ? ORDER BY action LIMIT 1", action)
        if action is None or not action.startswith(kind):
            return found
        found.append(action)


async def people(db: Db) -> dict[str, str]:
    """Who ever did something, with the name they had last: the same way."""
    found: dict[str, str] = {}
    actor_id = ""
    while len(found) < MOST_PEOPLE:
        actor_id = await db.value("SELECT actor_id FROM audit_event WHERE actor_id > ? ORDER BY actor_id LIMIT 1",
                                  actor_id)
        if actor_id is None:
            break
        name, kind = (await db.rows("SELECT actor_name, actor_kind FROM audit_event WHERE actor_id = ? "
                                    "ORDER BY sequence DESC LIMIT 1", actor_id))[0]
        found[actor_id] = f"{name} ({actor_id})" if kind == "system" else str(name)
    return found


async def owners(control: Db, workspace_id: str) -> list[tuple[str, str]]:
    """Address and name of each."""
    return [(row[0], row[1]) for row in await control.rows(
        "SELECT user.email, user.name FROM membership JOIN user ON user.id = membership.user_id "
        "WHERE membership.workspace_id = ? AND membership.role = 'owner' AND membership.state = 'active' "
        "AND user.disabled_at IS NULL ORDER BY user.name LIMIT 100", workspace_id)]

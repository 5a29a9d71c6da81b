"""Keeping what was found, and asking to be left alone about it. `tx` is control's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chime.checked import State
from chime.clock import DAY
from chime.doctor import queries
from chime.doctor.model import KEPT_DAYS, SILENCE, Found, Kept, Turn, laid_over
from chime.errors import NotFound
from chime.workspaces import Transaction

_KEEP = (
    "INSERT INTO doctor_check (workspace_id, channel_id, name, position, state, said, advice, place, values_json, at, "
    "since, streak, told, silenced_until, silenced_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (workspace_id, channel_id, name) DO UPDATE SET position = excluded.position, state = excluded.state, "
    "said = excluded.said, advice = excluded.advice, place = excluded.place, values_json = excluded.values_json, "
    "at = excluded.at, since = excluded.since, streak = excluded.streak, told = excluded.told, "
    "silenced_until = excluded.silenced_until, silenced_by = excluded.silenced_by")
_COUNT = (
    "INSERT INTO doctor_day (workspace_id, channel_id, name, day, good, doubtful, bad) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (workspace_id, channel_id, name, day) DO UPDATE SET good = good + excluded.good, "
    "doubtful = doubtful + excluded.doubtful, bad = bad + excluded.bad")


async def keep(tx: Transaction, workspace_id: str, found: Sequence[Found], *, now: int) -> list[Turn]:
    """Keep everything that was found of a workspace, or with an empty id of the installation; what is not among it any
    more (a number that was disconnected) is forgotten. Gives what people are to hear of."""
    before = {(one.channel_id, one.name): one for one in await queries.kept(tx, workspace_id)}
    turns = []
    for position, one in enumerate(found):
        rung = laid_over(before.pop((one.channel_id, one.check.name), None), one, now)
        await _write(tx, workspace_id, position, rung.kept)
        if rung.turn is not None:
            turns.append(rung.turn)
    for channel_id, name in before:
        await tx.execute("DELETE FROM doctor_check WHERE workspace_id = ? AND channel_id = ? AND name = ?",
                         workspace_id, channel_id, name)
    await tx.execute("DELETE FROM doctor_day WHERE day < ?", now // DAY - KEPT_DAYS)
    return turns


async def _write(tx: Transaction, workspace_id: str, position: int, kept: Kept) -> None:
    await tx.execute(
        _KEEP, workspace_id, kept.channel_id, kept.name, position, kept.state.value, kept.said, kept.advice, kept.place,
        msgspec.json.encode(kept.values).decode(), kept.at, kept.since, kept.streak, kept.told.value,
        kept.silenced_until, kept.silenced_by)
    if kept.state is not State.SKIPPED:
        await tx.execute(_COUNT, workspace_id, kept.channel_id, kept.name, kept.at // DAY,
                         *(int(kept.state is state) for state in (State.OK, State.WARN, State.FAIL)))


async def forget_workspaces(tx: Transaction) -> None:
    """Those that are there no more."""
    for statement in ("DELETE FROM doctor_check WHERE workspace_id <> '' AND workspace_id NOT IN "
                      "(SELECT id FROM workspace WHERE state = 'active')",
                      "DELETE FROM doctor_day WHERE workspace_id <> '' AND workspace_id NOT IN "
                      "(SELECT id FROM workspace WHERE state = 'active')"):
        await tx.execute(statement)


async def silence(tx: Transaction, workspace_id: str, channel_id: str, name: str, *, now: int) -> None:
    """Somebody knows of it: no word about it for a day, unless it is well again. Raises NotFound when nothing of the
    kind is out of order."""
    if not await tx.execute(
            "UPDATE doctor_check SET silenced_until = ?, silenced_by = ? WHERE workspace_id = ? AND channel_id = ? "
            "AND name = ? AND state IN ('warn', 'fail')", now + SILENCE, tx.actor.name, workspace_id, channel_id,
            name):
        raise NotFound("There is no such trouble; it may be mended by now.")
    await tx.audit("doctor.reminder_chosen", "check", name, workspace_id=workspace_id, channel_id=channel_id)

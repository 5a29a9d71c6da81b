"""Reading what was found. `control` is control.db."""

from __future__ import annotations

from chime.checked import State
from chime.clock import DAY, rfc3339
from chime.db import Db
from chime.doctor.model import HISTORY_DAYS, Day, Kept


async def kept(control: Db, workspace_id: str) -> list[Kept]:
    """Of a workspace, or with an empty id of the installation, in the order in which one would mend things."""
    return await control.all(
        Kept, "SELECT channel_id, name, state, said, advice, place, values_json, at, since, streak, told, "
        "silenced_until, silenced_by FROM doctor_check WHERE workspace_id = ? ORDER BY channel_id, position, name",
        workspace_id)


async def out_of_order(control: Db) -> dict[str, int]:
    """How many checks fail, by workspace; the installation under the empty id."""
    rows = await control.rows("SELECT workspace_id, count(*) FROM doctor_check WHERE state = 'fail' GROUP BY 1")
    return {row[0]: row[1] for row in rows}


async def counts(control: Db) -> dict[State, int]:
    """How many checks are in each state, of everything."""
    found = {row[0]: row[1] for row in await control.rows("SELECT state, count(*) FROM doctor_check GROUP BY 1")}
    return {state: found.get(state.value, 0) for state in State}


async def looked_at(control: Db, workspace_id: str) -> int:
    """When it was looked at last; 0 if never."""
    return int(await control.value("SELECT max(at) FROM doctor_check WHERE workspace_id = ?", workspace_id) or 0)


async def days(control: Db, workspace_id: str, *, now: int) -> dict[str, list[Day]]:
    """The last days of each number, the oldest first; a day without a look is in it."""
    first = now // DAY - HISTORY_DAYS + 1
    rows = await control.rows(
        "SELECT channel_id, day, sum(good), sum(doubtful), sum(bad) FROM doctor_day WHERE workspace_id = ? "
        "AND day >= ? GROUP BY 1, 2 ORDER BY 1, 2", workspace_id, first)
    found: dict[str, dict[int, Day]] = {}
    for channel_id, day, good, doubtful, bad in rows:
        found.setdefault(channel_id, {})[day] = Day(_written(day), good, doubtful, bad)
    return {channel_id: [seen.get(day, Day(_written(day), 0, 0, 0)) for day in range(first, first + HISTORY_DAYS)]
            for channel_id, seen in found.items()}


def _written(day: int) -> str:
    return rfc3339(day * DAY)[:10]

"""Self-checks of backups: the newest was restored for trial and found whole, a second place has it too, and nothing
that a restore put on hold leaves by itself."""

from __future__ import annotations

import asyncio

from chime.backups import Shelf, listing, read_state, told
from chime.clock import HOUR
from chime.trust.ground import Ground
from chime.trust.model import Broken, Skipped
from chime.trust.places import some_workspaces

OLDEST_GOOD = 26 * HOUR
SECOND_LATE = 9 * HOUR


async def good(ground: Ground) -> str:
    """Of each workspace there is a backup, the last look at it went well, it is not too old for what changed, and what
    changed comes to the shelf at all."""
    shelf, now = Shelf(ground.config.backup_dir), ground.clock.real_now()
    kept = {item.workspace_id: item for item in await asyncio.to_thread(listing, shelf)}
    state = await asyncio.to_thread(read_state, shelf, now, told(shelf, ground.config.data_dir))
    if state.unlooked_seconds * 1000 > OLDEST_GOOD:
        raise Broken(f"for {state.unlooked_seconds / 3600:.0f} hours not everything was backed up: "
                     f"{state.trouble or 'nothing looked after it'}")
    looked = 0
    for record in await some_workspaces(ground):
        item = kept.get(record.id)
        if item is None or item.verified_at is None:
            if now - record.created_at < OLDEST_GOOD and not (item and item.reason):
                continue
            raise Broken(f"no backup of {record.slug} was found good yet: {item.reason if item else 'there is none'}")
        if item.reason:
            raise Broken(f"the last look at the backup of {record.slug} failed: {item.reason}")
        if state.ages.get(record.id, 0.0) * 1000 > OLDEST_GOOD:
            raise Broken(f"the last good backup of {record.slug} is {state.ages[record.id] / 3600:.0f} hours old")
        looked += 1
    if not looked:
        raise Skipped("no backup was made and tried yet")
    return f"{looked} workspaces"


async def second(ground: Ground) -> str:
    """The second place had everything lately."""
    if not ground.config.backup_second:
        raise Skipped("no second place is configured (CHIME_BACKUP_SECOND): backups are on this disk alone")
    state = await asyncio.to_thread(read_state, Shelf(ground.config.backup_dir), ground.clock.real_now())
    if state.second_age_seconds is None:
        if state.second_trouble:
            raise Broken(f"nothing came to the second place yet: {state.second_trouble}")
        raise Skipped("nothing was copied to the second place yet")
    if state.second_age_seconds * 1000 > SECOND_LATE:
        raise Broken(f"the second place got its last copy {state.second_age_seconds / 3600:.0f} hours ago: "
                     f"{state.second_trouble}")
    return f"{state.second_age_seconds / 60:.0f} minutes ago"


async def held(ground: Ground) -> str:
    """What is on hold has no moment to leave at, so the sender never sees it; and no copy has a number, a key or a
    person of its own through whom it could send."""
    count = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            count += int(await workspace.db.value("SELECT count(*) FROM held_message"))
            if await workspace.db.value("SELECT 1 FROM held_message JOIN message ON message.id = message_id "
                                        "WHERE status = 'queued' AND next_attempt_at IS NOT NULL"):
                raise Broken(f"a message of {record.slug} that is on hold is due")
    if await ground.control.db.value(
            "SELECT 1 FROM workspace WHERE copied_from IS NOT NULL AND (state = 'active' OR EXISTS (SELECT 1 FROM "
            "channel_route WHERE workspace_id = workspace.id) OR EXISTS (SELECT 1 FROM api_key WHERE "
            "workspace_id = workspace.id) OR EXISTS (SELECT 1 FROM membership WHERE workspace_id = workspace.id))"):
        raise Broken("a restored copy can do something by itself")
    return f"{count} messages on hold"

"""Has WhatsApp gone silent? What is not subscribed, or lost on the way, brings no error: something is missing, is all.

Two things are missed: statuses of what was sent, which come within moments; and webhooks at an hour at which there are
always some. The second knows nights, weekends and quiet shops by looking at the same weekday and hour of past weeks.
"""

from __future__ import annotations

import msgspec

from chime.channels import Channel
from chime.checked import Check, bad, doubtful, good, skipped, words
from chime.clock import DAY, HOUR, MINUTE
from chime.db import Db
from chime.workspaces import Workspace

# A status comes within seconds; what is older than a day may never have been meant to have one.
STATUS_DUE, STATUS_PAST = 15 * MINUTE, DAY
# So long nothing comes before it is asked whether that is usual; so many webhooks in that time of each past week are.
LEAST_SILENCE = 2 * HOUR
WEEK = 7 * DAY
WEEKS = 4
WEEKS_NEEDED = 3
USUAL = 8
# The newest messages are looked at: by number there is no index, and none is worth having for this.
LOOKED_AT = 2_000


class Missed(msgspec.Struct, frozen=True):
    """`unheard_of` were sent, and no webhook came since `last_at`; `usual` came at this time in past weeks."""

    last_at: int
    unheard_of: int
    usual: int


async def missed(workspace: Workspace, channel_id: str, now: int) -> Missed:
    journal = workspace.journal_db
    rows = await journal.rows("SELECT id, received_at FROM webhook_body ORDER BY id DESC LIMIT 1")
    newest, last_at = rows[0] if rows else (0, 0)
    unheard_of = await _unheard_of(workspace.db, channel_id, last_at, now)
    usual = await _usual(journal, newest, last_at, now) if last_at and now - last_at >= LEAST_SILENCE else 0
    return Missed(last_at, unheard_of, usual)


async def _unheard_of(db: Db, channel_id: str, last_at: int, now: int) -> int:
    with db.sparingly():
        return int(await db.value(
            "SELECT count(*) FROM (SELECT channel_id, direction, status, sent_at FROM message ORDER BY sequence DESC "
            "LIMIT ?) WHERE channel_id = ? AND direction = 'out' AND status = 'sent' AND sent_at > ? "
            "AND sent_at BETWEEN ? AND ?", LOOKED_AT, channel_id, last_at, now - STATUS_PAST, now - STATUS_DUE))


async def _usual(journal: Db, newest: int, last_at: int, now: int) -> int:
    """The fewest webhooks that came in the same span of the past weeks, leaving out the quietest week (a holiday); 0
    when there are too few weeks to say."""
    silence = min(now - last_at, DAY)
    counts = []
    first = await journal.value("SELECT received_at FROM webhook_body ORDER BY id LIMIT 1")
    for week in range(1, WEEKS + 1):
        end = now - week * WEEK
        if first is not None and first <= end - silence:
            counts.append(await _bodies_between(journal, newest, end - silence, end))
    return sorted(counts)[len(counts) - WEEKS_NEEDED] if len(counts) >= WEEKS_NEEDED else 0


async def _bodies_between(journal: Db, newest: int, begin: int, end: int) -> int:
    """Bodies are stored as they come, so their ids count them; halving finds a moment without an index."""
    return await _before(journal, end, newest) - await _before(journal, begin, newest)


async def _before(journal: Db, at: int, newest: int) -> int:
    low, high = 0, newest
    while low < high:
        middle = (low + high + 1) // 2
        rows = await journal.rows("SELECT id, received_at FROM webhook_body WHERE id >= ? ORDER BY id LIMIT 1", middle)
        if rows and rows[0][0] <= newest and rows[0][1] < at:
            low = rows[0][0]
        else:
            high = middle - 1
    return low


def silence(channel: Channel, found: Missed, now: int) -> Check:
    name = words("webhooks")
    advice = words("Look at the lines above: is our app subscribed, is the address ours, does it answer? Then send a "
                   "message to the number from your own phone.")
    minutes = (now - found.last_at) // MINUTE
    if found.unheard_of:
        return bad(name, words("%(count)s messages were sent, and WhatsApp reported nothing of them"), advice,
                   count=found.unheard_of)
    if found.usual >= USUAL:
        return doubtful(name, words("nothing came for %(minutes)s minutes; in past weeks %(count)s webhooks came at "
                                    "this time"), advice, minutes=minutes, count=found.usual)
    if not found.last_at:
        if now - channel.created_at < HOUR:
            return skipped(name, words("none yet; the number was connected just now"))
        return good(name, words("none yet"), words("Send a message to the number from your own phone."))
    return good(name, words("the last one came %(minutes)s minutes ago"), minutes=minutes)

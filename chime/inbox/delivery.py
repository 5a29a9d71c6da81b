"""The sender: what is due on a number leaves at the number's rate, in each conversation in the order it was written.

`deliver` looks through what is due and starts `send` for as many messages as may be on their way; each that ends has it
look again. A message behind an unsent one of its conversation waits for that one: what was written first must not
arrive second because its file took longer or Meta asked for a short pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from chime import channels
from chime.channels import Channel
from chime.clock import DAY, MINUTE, SECOND, Clock
from chime.db import Db
from chime.errors import NotFound, Unavailable
from chime.inbox import claims, queries, unheard
from chime.inbox.claims import Claim
from chime.inbox.sending import DELIVER
from chime.jobs import JobKind, Lane, Work
from chime.security.crypto import CannotOpen
from chime.security.vault import Secret
from chime.whatsapp import Doubtful, GraphRefused, NotSent, Verdict
from chime.workspaces import Transaction, Workspace

SEND = "inbox.send"
RECOVER = "inbox.recover"
MAKE_DUE = "inbox.make_due"
MOST_SENDS = 400
SETTLES_AGAIN_IN = 2.0
# Rows looked at in one read; where most of them wait for another one the next slice follows.
SLICE = 128
_FIRST = (0, "")
# A message that waits longer than this (a marketing message held for a day) no longer holds up those behind it.
LONGEST_HOLD = 5 * MINUTE
# Ids of files we uploaded live 30 days at Meta; a day less keeps a send from racing the end.
UPLOAD_LIFETIME = 29 * DAY
# Longer than the client's own deadlines: what is still `sending` after this lost its process.
LOST_AFTER = 3 * MINUTE
# A clock that is corrected by less than this delays nothing that matters.
CLOCK_SLACK = 5 * SECOND
# The sweep finds what is due later than this.
SOON = 60.0


class Due(NamedTuple):
    """A message whose time has come. `is_first`: nothing of its conversation is before it. `uploads`: Meta does not
    have its file."""

    id: str
    conversation_id: str
    is_first: int
    uploads: int
    at: int


async def deliver(work: Work, channel_id: str) -> None:
    """Start the sends that may leave now; come back when the next ones may."""
    channel = await channels.channel(work.workspace.db, channel_id)
    lane = work.pace.lane(channel_id)
    lane.more_waits = False
    if channel is None:
        return await _fail_all(work, channel_id)
    if channel.paused_until is not None and channels.holds_back(channel.paused_until, work.clock.now()):
        return await _hold_all(work, channel_id, channel.paused_until)
    if lane.probe_in() > 0:
        return _come_back(work, channel_id, lane.probe_in())
    if await unheard.is_behind(work.workspace, work.clock.now()):
        return _come_back(work, channel_id, unheard.LOOKS_AGAIN_IN)
    await _fill(work, channel, lane)
    await _when_next(work, channel_id)


async def _fill(work: Work, channel: Channel, lane: Lane) -> None:
    """Start as many as may be on their way. Who looks for more when they have ended asks everything above again."""
    place = _FIRST
    while (free := lane.free(channel.messages_per_second)) > 0:
        found = await _due(work.workspace.db, channel.id, work.clock.now(), place)
        is_long = len(found) == SLICE
        by_hand = await _by_hand(work.workspace.db, channel.id, work.clock.now()) if is_long and place == _FIRST else []
        candidates = list(dict.fromkeys([*by_hand, *found]))
        ready = _ready(lane, candidates)
        lane.more_waits = lane.more_waits or is_long or len(ready) < len(candidates) or len(ready) > free
        started = [await _start(work, channel, row) for row in ready[:free]]
        if len(ready) < free:
            if not is_long:
                return
            place = (found[-1].at, found[-1].id)
            await asyncio.sleep(0)  # behind uploads that hang there may be thousands
        elif any(started):
            return
    lane.more_waits = True


_DUE = ("SELECT message.id, message.conversation_id, NOT EXISTS (SELECT 1 FROM message AS earlier "
        "WHERE earlier.conversation_id = message.conversation_id AND earlier.at < message.at "
        "AND earlier.status IN ('queued', 'sending') AND earlier.next_attempt_at < ?2 + ?3), "
        "EXISTS (SELECT 1 FROM media WHERE media.id = message.media_id AND (meta_media_id IS NULL "
        "OR media.created_at <= ?2 - ?4)), message.next_attempt_at FROM ")


async def _due(db: Db, channel_id: str, now: int, after: tuple[int, str]) -> list[Due]:
    rows = await db.rows(_DUE + "message WHERE message.status = 'queued' AND message.channel_id = ?1 "
                         "AND message.next_attempt_at <= ?2 AND (message.next_attempt_at, message.id) > (?5, ?6) "
                         "ORDER BY message.next_attempt_at, message.id LIMIT ?7",
                         channel_id, now, LONGEST_HOLD, UPLOAD_LIFETIME, *after, SLICE)
    return [Due(*row) for row in rows]


async def _by_hand(db: Db, channel_id: str, now: int) -> list[Due]:
    """What people wrote, of the newest `SLICE` that are due: while much waits they are not kept behind what a script
    queued."""
    rows = await db.rows(_DUE + "(SELECT id AS newest FROM message WHERE status = 'queued' AND channel_id = ?1 "
                         "AND next_attempt_at <= ?2 ORDER BY next_attempt_at DESC, id DESC LIMIT ?5) "
                         "CROSS JOIN message ON message.id = newest WHERE message.origin = 'agent' "
                         "ORDER BY message.next_attempt_at, message.id",
                         channel_id, now, LONGEST_HOLD, UPLOAD_LIFETIME, SLICE)
    return [Due(*row) for row in rows]


def _ready(lane: Lane, found: list[Due]) -> list[Due]:
    """Those that may leave, with no more files to upload than the number has places for."""
    ready, uploads = [], lane.free_uploads()
    for row in found:
        if row.is_first and row.id not in lane.on_its_way and (not row.uploads or uploads > 0):
            ready.append(row)
            uploads -= row.uploads
    return ready


async def _start(work: Work, channel: Channel, row: Due) -> bool:
    """False when it was put off, because its person got enough for now."""
    wait = work.pace.pair(channel.id, row.conversation_id)
    if wait > 0:
        await work.workspace.deliveries.run(
            lambda tx: claims.put_back(tx, row.id, at=tx.now + int(wait * 1000) + 1))
        return False
    await work.pace.slot(channel.id, channel.messages_per_second)
    if work.start(SEND, row.id):
        work.pace.begin(channel.id, row.id, uploads=bool(row.uploads))
    return True


async def _when_next(work: Work, channel_id: str) -> None:
    """Be there when the next message of this number becomes due."""
    at = await work.workspace.db.value("SELECT min(next_attempt_at) FROM message WHERE status = 'queued' "
                                       "AND channel_id = ? AND next_attempt_at > ?", channel_id, work.clock.now())
    if at is not None:
        _come_back(work, channel_id, (at - work.clock.now()) / 1000)


def _come_back(work: Work, channel_id: str, seconds: float) -> None:
    if seconds <= SOON:
        work.start(DELIVER, channel_id, delay=max(seconds, 0.001))


async def _hold_all(work: Work, channel_id: str, until: int) -> None:
    """Meta holds the number back: everything that is due waits, and says until when."""
    async def hold(tx: Transaction) -> int:
        return await tx.execute(
            "UPDATE message SET next_attempt_at = ?2, claimed_at = iif(claimed_at IS NULL, NULL, ?3) WHERE id IN "
            "(SELECT id FROM message WHERE status = 'queued' AND channel_id = ?1 AND next_attempt_at < ?2 "
            "ORDER BY next_attempt_at LIMIT 500)", channel_id, until, tx.now)

    while await work.workspace.deliveries.run(hold) == 500:
        pass
    _come_back(work, channel_id, (until - work.clock.now()) / 1000)


async def _fail_all(work: Work, channel_id: str) -> None:
    """The number was removed: claiming says so to each message that still waits for it."""
    found = await _due(work.workspace.db, channel_id, work.clock.now(), _FIRST)

    async def refuse(tx: Transaction) -> None:
        for row in found:
            await claims.claim(tx, row.id, work.workspace.callback_key)

    await work.workspace.deliveries.run(refuse)


async def send(work: Work, message_id: str) -> None:
    """One message: upload its file, claim it, send it, settle it; then let the sender look for more."""
    try:
        row = await queries.sendable(work.workspace.db, message_id)
        if row is None:
            return
        channel_id, media_id, rate = row
        settled = await _uploaded(work, message_id, channel_id, media_id)
        work.pace.uploaded(message_id)
        settled = settled and await _claim_and_send(work, message_id)
    finally:
        work.pace.end(message_id)
    lane = work.pace.lane(channel_id)
    if not settled or lane.wants_more(rate) or (lane.more_waits and not lane.on_its_way):
        work.start(DELIVER, channel_id)


async def _claim_and_send(work: Work, message_id: str) -> bool:
    """False when the sender has to look for it again."""
    workspace = work.workspace
    claim = await workspace.deliveries.run(lambda tx: claims.claim(tx, message_id, workspace.callback_key))
    return claim is None or await _send(work, claim)


async def _send(work: Work, claim: Claim) -> bool:
    """The network step. Whatever happens, the journal says how far it came. True when Meta took it."""
    workspace, lane = work.workspace, work.pace.lane(claim.channel_id)
    token = workspace.vault.open(claim.access_token_sealed, table="channel", row=claim.channel_id,
                                 column="access_token")
    app = await work.control.app_by_id(claim.meta_app_id)
    try:
        await workspace.record_begun(claim.message_id, claim.attempt, work.clock.now())
    except Unavailable:
        await _settle(work, lambda tx: claims.not_sent(tx, claim))
        return False
    try:
        # Attempts count on when a person sends it again; the pauses between them begin anew.
        answer = await work.graph.send(claim.phone_number_id, token, claim.body, app_secret=app.secret if app else None,
                                       attempt=(claim.attempt - 1) % claims.MOST_ATTEMPTS + 1)
    except GraphRefused as refusal:
        failure = refusal.failure
        _heed(work, lane, claim, failure.verdict, failure.effect)
        await _settle(work, lambda tx: claims.refused(tx, claim, failure))
    except NotSent:
        lane.unanswered(claim.message_id)
        await _settle(work, lambda tx: claims.not_sent(tx, claim))
    except Doubtful:
        lane.unanswered(claim.message_id)
        await _settle(work, lambda tx: claims.doubtful(tx, claim))
    else:
        lane.answered()
        await _settle(work, lambda tx: claims.accepted(tx, claim, answer.wamid))
        return True
    return False


async def _settle(work: Work, step: Callable[[Transaction], Awaitable[None]]) -> None:
    """What became of a send is known here and nowhere else: while storage takes nothing, hold on to it. Its place on
    the number is held as well, so no more leaves than can be written down."""
    while True:
        try:
            return await work.workspace.deliveries.run(step)
        except Unavailable:
            await asyncio.sleep(SETTLES_AGAIN_IN)


def _heed(work: Work, lane: Lane, claim: Claim, verdict: Verdict, effect: str) -> None:
    if verdict is Verdict.DOUBT:
        lane.unanswered(claim.message_id)
    else:
        lane.answered()
    if effect == "slow_number":
        work.pace.slow_down(claim.channel_id)


async def app_secret(work: Work, channel_id: str) -> bytes | None:
    """The secret of the app whose token a number uses, to prove calls with."""
    channel = await channels.channel(work.workspace.db, channel_id)
    app = await work.control.app_by_id(channel.meta_app_id) if channel else None
    return app.secret if app else None


async def _uploaded(work: Work, message_id: str, channel_id: str, media_id: str | None) -> bool:
    """Have Meta hold the message's file. An upload may be repeated freely: it sends nothing to anybody."""
    if media_id is None:
        return True
    workspace = work.workspace
    stored = await queries.media(workspace.db, media_id)
    if stored is None or (stored.meta_media_id and work.clock.now() - stored.created_at < UPLOAD_LIFETIME):
        return True
    channel = await channels.channel(workspace.db, channel_id)
    if channel is None:
        return True
    try:
        token: Secret = await channels.access_token(workspace.db, workspace.vault, channel.id)
        meta_id = await work.graph.upload_media(
            channel.phone_number_id, token, workspace.files.read(stored.id), size=workspace.files.size(stored.id),
            mime_type=stored.mime_type, filename=stored.filename or "file",
            app_secret=await app_secret(work, channel.id))
    except (NotFound, CannotOpen):
        # Removed after its time, or damaged on the disk: trying again would hold up what was written after it for ever.
        await workspace.deliveries.run(lambda tx: claims.file_is_gone(tx, message_id))
        return False
    except (NotSent, Doubtful) as error:
        work.log.warning("media.upload_failed", reason=type(error).__name__)
        was_there = isinstance(error, Doubtful)
        await workspace.deliveries.run(lambda tx: claims.upload_failed(tx, message_id, was_there=was_there))
        return False
    except GraphRefused as refusal:
        failure = refusal.failure
        await workspace.deliveries.run(lambda tx: claims.upload_refused(tx, message_id, failure))
        return False

    async def uploaded(tx: Transaction) -> None:
        await tx.execute("UPDATE media SET meta_media_id = ? WHERE id = ?", meta_id, stored.id)

    await workspace.deliveries.run(uploaded)
    return True


async def forget_claims(workspace: Workspace, clock: Clock) -> None:
    """At the start of the process nothing can be in flight: whatever is still `sending` was left by the last one. Where
    there is none no writer is opened: that would be the larger part of what the look costs."""
    if await workspace.db.value("SELECT 1 FROM message WHERE status IN ('sending', 'unconfirmed') "
                                "AND status = 'sending' LIMIT 1") is None:
        return
    async with workspace.ingest("delivery") as tx:
        await tx.execute("UPDATE message SET claimed_at = min(claimed_at, ?) "
                         "WHERE status IN ('sending', 'unconfirmed') AND status = 'sending'",
                         clock.now() - LOST_AFTER - 1)


async def due_channels(db: Db, now: int) -> list[str]:
    """The numbers with something to send whose time has come."""
    rows = await db.rows("SELECT id FROM channel WHERE EXISTS (SELECT 1 FROM message WHERE status = 'queued' "
                         "AND channel_id = channel.id AND next_attempt_at <= ?)", now + int(SOON * 1000))
    return [row[0] for row in rows]


async def recover(work: Work, message_id: str) -> None:
    """A message left in `sending` by a process that ended. The journal knows whether its send ever began, and how it
    ended if it did."""
    # The first sweep comes when sends of this process have begun, and a clock that jumps makes them look old.
    if work.pace.on_its_way(message_id):
        return
    workspace = work.workspace
    rows = await workspace.db.rows("SELECT attempts, channel_id FROM message WHERE id = ? AND status = 'sending'",
                                   message_id)
    if not rows:
        return
    attempt, channel_id = rows[0]
    journalled = await workspace.journal_db.rows("SELECT phase, outcome, wamid FROM send_event WHERE message_id = ? "
                                                 "AND attempt = ? ORDER BY id", message_id, attempt)
    phase, outcome, wamid = journalled[-1] if journalled else ("", None, None)
    async with workspace.ingest("delivery") as tx:
        if not journalled or outcome in ("not_sent", "refused"):
            await claims.put_back(tx, message_id, at=tx.now)
        elif phase == "ended" and wamid:
            await claims.confirm(tx, message_id, channel_id, wamid)
        else:
            await tx.execute("UPDATE message SET status = 'unconfirmed' WHERE id = ? AND status = 'sending'",
                             message_id)
        conversation_id = await tx.value("SELECT conversation_id FROM message WHERE id = ?", message_id)
        tx.publish("message", message_id, conversation_id=conversation_id)
        tx.publish("conversation", conversation_id)
    work.start(DELIVER, channel_id)


async def lost_sends(db: Db, now: int) -> list[str]:
    # The first condition is the index's own: without its very words SQLite reads the whole table.
    rows = await db.rows("SELECT id FROM message WHERE status IN ('sending', 'unconfirmed') AND status = 'sending' "
                         "AND claimed_at < ? LIMIT 500",
                         now - LOST_AFTER)
    return [row[0] for row in rows]


# What waits since a moment that has not come yet: the machine's clock went back, and "in a moment" may be in a year.
# What was never tried waits for nothing but a pause of its number.
_PUT_OFF = ("status = 'queued' AND next_attempt_at > ?1 AND (max(created_at, coalesce(claimed_at, 0)) > ?1 "
            f"OR (claimed_at IS NULL AND next_attempt_at > ?1 + {channels.LONGEST_PAUSE + MINUTE}))")


async def make_due(work: Work, channel_id: str) -> None:
    """The messages of a number that another clock put off leave now, or when a pause ends that may be a true one."""
    async def some(tx: Transaction) -> int:
        return await tx.execute(
            f"UPDATE message SET next_attempt_at = ?2 WHERE id IN (SELECT id FROM message WHERE {_PUT_OFF} "
            "AND channel_id = ?3 LIMIT 500)", tx.now + CLOCK_SLACK, tx.now, channel_id)

    while await work.workspace.deliveries.run(some) == 500:
        pass
    work.start(DELIVER, channel_id)


async def put_off_channels(db: Db, now: int) -> list[str]:
    rows = await db.rows(f"SELECT id FROM channel WHERE EXISTS (SELECT 1 FROM message WHERE {_PUT_OFF} "
                         "AND channel_id = channel.id)", now + CLOCK_SLACK)
    return [row[0] for row in rows]


async def nothing_due(db: Db, now: int) -> list[str]:
    return []


JOBS = [
    JobKind(DELIVER, deliver, due_channels, at_once=64),
    JobKind(SEND, send, nothing_due, at_once=MOST_SENDS),
    JobKind(RECOVER, recover, lost_sends),
    JobKind(MAKE_DUE, make_due, put_off_channels),
]

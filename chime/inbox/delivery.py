"""The sender: what is due on a number leaves at the number's rate, in each conversation in the order it was written.

`deliver` looks through what is due and starts `send` for as many messages as may be on their way; each that ends has it
look again. A message behind an unsent one of its conversation waits for that one: what was written first must not
arrive second because its file took longer or Meta asked for a short pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

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


async def deliver(work: Work, channel_id: str) -> None:
    """Start the sends that may leave now; come back when the next ones may."""
    channel = await channels.channel(work.workspace.db, channel_id)
    lane = work.pace.lane(channel_id)
    lane.more_waits = False
    if channel is None:
        return await _fail_all(work, channel_id)
    if channel.paused_until is not None and channel.paused_until > work.clock.now():
        return await _hold_all(work, channel_id, channel.paused_until)
    if lane.probe_in() > 0:
        return _come_back(work, channel_id, lane.probe_in())
    if await unheard.is_behind(work.workspace, work.clock.now()):
        return _come_back(work, channel_id, unheard.LOOKS_AGAIN_IN)
    place = (0, "")
    while (free := lane.free(channel.messages_per_second)) > 0:
        found = await _due(work.workspace.db, channel_id, work.clock.now(), place)
        ready = [row for row in found if row[2] and row[0] not in lane.on_its_way]
        lane.more_waits = lane.more_waits or len(ready) < len(found) or len(ready) > free
        for message_id, conversation_id, _, _ in ready[:free]:
            await _start(work, channel, message_id, conversation_id)
        if len(found) < SLICE:
            break
        place = (found[-1][3], found[-1][0])
    else:
        lane.more_waits = True
    await _when_next(work, channel_id)


async def _due(db: Db, channel_id: str, now: int, after: tuple[int, str]) -> list[tuple[str, str, int, int]]:
    """Id, conversation, whether nothing of its conversation is before it, and since when it is due."""
    return await db.rows(
        "SELECT message.id, message.conversation_id, NOT EXISTS (SELECT 1 FROM message AS earlier "
        "WHERE earlier.conversation_id = message.conversation_id AND earlier.at < message.at "
        "AND earlier.status IN ('queued', 'sending') AND earlier.next_attempt_at < ?4 + ?6), message.next_attempt_at "
        "FROM message WHERE message.status = 'queued' AND message.channel_id = ?1 "
        "AND (message.next_attempt_at, message.id) > (?2, ?3) AND message.next_attempt_at <= ?4 "
        "ORDER BY message.next_attempt_at, message.id LIMIT ?5", channel_id, *after, now, SLICE, LONGEST_HOLD)


async def _start(work: Work, channel: Channel, message_id: str, conversation_id: str) -> None:
    wait = work.pace.pair(channel.id, conversation_id)
    if wait > 0:
        await work.workspace.deliveries.run(
            lambda tx: claims.put_back(tx, message_id, at=tx.now + int(wait * 1000) + 1))
        return
    await work.pace.slot(channel.id, channel.messages_per_second)
    if work.start(SEND, message_id):
        work.pace.begin(channel.id, message_id)


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
            "UPDATE message SET next_attempt_at = ?2 WHERE id IN (SELECT id FROM message WHERE status = 'queued' "
            "AND channel_id = ?1 AND next_attempt_at < ?2 ORDER BY next_attempt_at LIMIT 500)", channel_id, until)

    while await work.workspace.deliveries.run(hold) == 500:
        pass
    _come_back(work, channel_id, (until - work.clock.now()) / 1000)


async def _fail_all(work: Work, channel_id: str) -> None:
    """The number was removed: claiming says so to each message that still waits for it."""
    found = await _due(work.workspace.db, channel_id, work.clock.now(), (0, ""))

    async def refuse(tx: Transaction) -> None:
        for message_id, *_ in found:
            await claims.claim(tx, message_id, work.workspace.callback_key)

    await work.workspace.deliveries.run(refuse)


async def send(work: Work, message_id: str) -> None:
    """One message: upload its file, claim it, send it, settle it; then let the sender look for more."""
    try:
        row = await queries.sendable(work.workspace.db, message_id)
        if row is None:
            return
        channel_id, media_id, rate = row
        settled = (await _uploaded(work, message_id, channel_id, media_id)
                   and await _claim_and_send(work, message_id))
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
        answer = await work.graph.send(claim.phone_number_id, token, claim.body, attempt=claim.attempt,
                                       app_secret=app.secret if app else None)
    except GraphRefused as refusal:
        failure = refusal.failure
        _heed(work, lane, claim, failure.verdict, failure.effect)
        await _settle(work, lambda tx: claims.refused(tx, claim, failure))
    except NotSent:
        lane.unanswered()
        await _settle(work, lambda tx: claims.not_sent(tx, claim))
    except Doubtful:
        lane.unanswered()
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
        lane.unanswered()
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
        await workspace.deliveries.run(lambda tx: claims.put_back(tx, message_id, at=tx.now + 15_000))
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
_PUT_OFF = "status = 'queued' AND next_attempt_at > ?1 AND max(created_at, coalesce(claimed_at, 0)) > ?1"


async def make_due(work: Work, channel_id: str) -> None:
    """The messages of a number that another clock put off leave now, and no pause of that clock holds them."""
    async def some(tx: Transaction) -> int:
        await tx.execute("UPDATE channel SET paused_until = NULL WHERE id = ? AND paused_until > ?", channel_id, tx.now)
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

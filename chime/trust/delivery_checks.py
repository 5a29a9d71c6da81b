"""Self-checks of messages and trails: the account of what came in balances, nothing went out twice, who said stop is
known everywhere, and every audit trail is the one that was signed."""

from __future__ import annotations

from chime import audit
from chime.audit import Trail
from chime.clock import DAY
from chime.inbound.proof import newest_count
from chime.trust.ground import Ground
from chime.trust.model import Broken, Skipped
from chime.trust.places import some_workspaces

# Rows that are examined anew each time; of a longer trail the weekly examination and the signer's alarm count.
EXAMINED = 20_000
VERDICT_GOOD_FOR = 8 * DAY
NEWEST_SENDS = 50_000
NEWEST_CONSENTS = 5_000


async def account(ground: Ground) -> str:
    """Everything WhatsApp delivered is applied, known already, set aside or parked: the delivery proof balances."""
    counted = events = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            found = await newest_count(workspace, now=ground.clock.now())
            if found is None:
                continue
            if not found.ok:
                raise Broken(f"the account of {record.slug} does not balance: {found.total.difference} missing, "
                             f"{found.changed_summaries} days changed")
            counted += 1
            events += found.total.received
    if not counted:
        raise Skipped("nothing was counted yet")
    return f"{events} events in {counted} workspaces"


async def sends(ground: Ground) -> str:
    """No message was accepted by WhatsApp twice: the journal of sends knows one message id of theirs for each of ours.
    """
    looked = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            newest = int(await workspace.journal_db.value("SELECT max(id) FROM send_event") or 0)
            with workspace.journal_db.sparingly():
                twice = await workspace.journal_db.value(
                    "SELECT count(*) FROM (SELECT message_id FROM send_event WHERE id > ? AND outcome = 'accepted' "
                    "GROUP BY message_id HAVING count(DISTINCT wamid) > 1)", newest - NEWEST_SENDS)
            if twice:
                raise Broken(f"{twice} messages of {record.slug} were accepted twice")
            looked += min(newest, NEWEST_SENDS)
    if not looked:
        raise Skipped("nothing was sent yet")
    return f"{looked} lines of the journal of sends"


async def stops(ground: Ground) -> str:
    """Whoever said stop last is stopped in the workspace's state too, whatever was restored since: the journal, which
    no restore takes back, knows."""
    looked = 0
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            with workspace.journal_db.sparingly():
                last = await workspace.journal_db.rows(
                    "SELECT contact_id, marketing FROM (SELECT contact_id, marketing, max(id) FROM consent_event "
                    "GROUP BY contact_id ORDER BY max(id) DESC LIMIT ?)", NEWEST_CONSENTS)
            for contact_id, marketing in last:
                if marketing != "opted_out":
                    continue
                state = await workspace.db.value("SELECT marketing_consent FROM contact WHERE id = ?", contact_id)
                if state not in (None, "opted_out"):
                    raise Broken(f"a contact of {record.slug} said stop and is not stopped: {contact_id}")
                looked += 1
    if not looked:
        raise Skipped("nobody said stop yet")
    return f"{looked} people who said stop"


async def trails(ground: Ground) -> str:
    """Every audit trail is whole: each row hashes to what it carries, follows the one before, and is under a root that
    was signed."""
    rows = await _examined(ground, "the installation", audit.installation_trail(ground.control))
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            rows += await _examined(ground, record.slug, audit.trail_of(workspace, ground.control))
    return f"{rows} rows"


async def _examined(ground: Ground, name: str, trail: Trail) -> int:
    size = int(await trail.db.value("SELECT max(sequence) FROM audit_event") or 0)
    if size <= EXAMINED:
        verdict = await audit.examine(trail, ground.clock)
    else:
        found = await audit.last_verdict(trail.db)
        if found is None or ground.clock.real_now() - found.checked_at > VERDICT_GOOD_FOR:
            raise Broken(f"the trail of {name} was not examined for a week")
        verdict = found
    if not verdict.ok:
        raise Broken(f"the trail of {name} is not whole from row {verdict.first_bad}: {verdict.reason}")
    if await trail.db.value("SELECT 1 FROM meta WHERE key = 'audit_alarm'"):
        raise Broken(f"the trail of {name} could not be signed")
    return size

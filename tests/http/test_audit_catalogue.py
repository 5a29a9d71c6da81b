"""Every privileged action of security-reliability.md 2.16 that the product has: it is written down under its name, and
doing it once leaves exactly one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest

from chime.audit import Reading
from tests.architecture.source import chime
from tests.architecture.test_vocabulary import _first_arguments
from tests.http.inbox_setup import Talk, rows, talk
from tests.support.world import PASSWORD, World

# What the document names -> what the product calls it. Campaigns, flows, bots, billing and the like are still to come.
CATALOGUE = {
    "auth.login ok": "session.started",
    "auth.login fail": "session.refused",
    "auth.logout": "session.ended",
    "auth.password.change": "password.changed",
    "session.revoke": "sessions.ended",
    "member.invite": "invitation.created",
    "member.accept": "invitation.accepted",
    "member.confirm": "member.confirmed",
    "member.role": "member.role_changed",
    "member.suspend": "member.suspended",
    "member.remove": "member.removed",
    "role.custom.change": "role.edited",
    "team.change": "team.members_changed",
    "module.switch": "member.limits_changed",
    "channel.connect": "channel.connected",
    "channel.disconnect": "channel.removed",
    "channel.credential.replace": "channel.token_replaced",
    "channel.credential.use-failed": "channel.trouble_found",
    "contact.merge": "contact.merged",
    "contact.delete": "contact.deleted",
    "phone.reveal": "contact.number_revealed",
    "optout/optin": "contact.consent_recorded",
    "conv.reassign": "conversation.assigned",
    "apikey.create": "api_key.created",
    "apikey.revoke": "api_key.revoked",
    "sec.policy.change": "security_policy.saved",
    "key.rotate": "key.rotated",
    "key.destroy": "key.destroyed",
    "retention.change": "audit.retention_changed",
    "support.request": "support.requested",
    "audit.checkpoint": "audit.checkpointed",
    "audit.verify": "audit.verified",
    "audit export": "audit.exported",
    "campaign.unknown.resend": "message.resent",
    "export.request": "approval.requested",
    "export.approve": "approval.approved",
    "export.reject": "approval.rejected",
    "export.download": "approval.downloaded",
    "authz.denied": "access.denied",
    "contact read": "contact.opened",
    "conversation read": "conversation.opened",
    "file download": "media.downloaded",
    "search by number": "contacts.searched_by_number",
}
_OTHERS = {reading.value for reading in Reading} | {"access.denied"}


@pytest.mark.parametrize(("event", "action"), CATALOGUE.items())
def test_the_product_writes_it_down(event: str, action: str) -> None:
    written = _OTHERS.union(*(actions for _, _, actions in _first_arguments("audit")))
    assert chime() and action in written, f"{event}: nothing audits {action}"


Doing = Callable[[World, Talk, httpx.AsyncClient], Awaitable[object]]


async def sign_in(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=world.base) as browser:
        await browser.post("/sign-in", data={"email": "mo@example.com", "password": PASSWORD})


async def fail_to_sign_in(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=world.base) as browser:
        await browser.post("/sign-in", data={"email": "mo@example.com", "password": "not it at all"})


async def add_tag(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await alice.post(f"/w/{world.acme.slug}/contacts/{maya.contact_id}/tags", data={"name": "vip"})


async def record_consent(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await alice.post(f"/w/{world.acme.slug}/contacts/{maya.contact_id}/consent", data={"marketing": "opted_out"})


async def reveal(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await alice.post(f"/w/{world.acme.slug}/contacts/{maya.contact_id}/number", headers={"HX-Request": "true"})


async def assign(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await alice.post(f"/w/{world.acme.slug}/inbox/{maya.id}/assignment", data={"assignee_id": ""})
    people = await world.services.control.db.rows("SELECT id FROM user WHERE name = 'Bob'")
    await alice.post(f"/w/{world.acme.slug}/inbox/{maya.id}/assignment", data={"assignee_id": people[0][0]})


async def make_key(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await world.key(world.acme)


async def export_the_log(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await alice.post(f"/w/{world.acme.slug}/settings/audit/export", data={})


async def be_refused(world: World, maya: Talk, alice: httpx.AsyncClient) -> None:
    await (await world.session("vera")).get(f"/w/{world.acme.slug}/settings/audit")


DONE: dict[str, Doing] = {
    "session.started": sign_in, "session.refused": fail_to_sign_in, "contact.tagged": add_tag,
    "contact.consent_recorded": record_consent, "contact.number_revealed": reveal, "conversation.assigned": assign,
    "api_key.created": make_key, "audit.exported": export_the_log, "access.denied": be_refused,
}


async def written(world: World) -> Counter[str]:
    """How often each action stands in the workspace's trail and in the installation's."""
    found: Counter[str] = Counter()
    for action, count in [
            *await rows(world, world.acme, "SELECT action, count(*) FROM audit_event GROUP BY action"),
            *await world.services.control.db.rows("SELECT action, count(*) FROM audit_event GROUP BY action")]:
        found[action] += count
    return found


async def test_doing_it_once_leaves_one_row(world: World) -> None:
    maya, alice = await talk(world), await world.session("alice")
    await world.session("vera")
    for action, do in DONE.items():
        before = await written(world)
        await do(world, maya, alice)
        await world.settle()
        assert (await written(world))[action] - before[action] == 1, action

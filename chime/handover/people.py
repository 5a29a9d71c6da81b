"""The people of a workspace on another server: who is known there by their email is who they are there, with the role
they had; who is not gets an account without a password, and finds the way in by a reset link.

An account made here keeps its id, so what they wrote stays theirs. Who is known already has another one; then theirs is
written in the workspace's file wherever the old one stood, but not in the audit trail, which nobody changes, nor in
approvals, which are bound to who asked.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chime.accounts import user_by_email
from chime.db import Db
from chime.handover.model import Description, Person
from chime.workspaces import Transaction

# Tables in which the ids of people stay what they were.
KEPT = ("audit_event", "audit_checkpoint", "audit_tile", "approval", "meta", "export_file")


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """Who is who: their ids here by those they had, and who has no account here yet."""

    ids: dict[str, str]
    unknown: tuple[str, ...]

    @property
    def exchanged(self) -> dict[str, str]:
        return {old: new for old, new in self.ids.items() if old != new}


async def arrivals(control: Db, description: Description, fresh: Mapping[str, str]) -> Arrivals:
    """`fresh`: ids for those whose own is taken here by somebody else."""
    ids, unknown = {}, []
    for person in description.people:
        known = await user_by_email(control, person.email)
        if known is not None:
            ids[person.id] = known.id
            continue
        taken = await control.value("SELECT 1 FROM user WHERE id = ?", person.id)
        ids[person.id] = fresh[person.id] if taken else person.id
        unknown.append(person.id)
    return Arrivals(ids=ids, unknown=tuple(unknown))


async def bring(tx: Transaction, workspace_id: str, description: Description, who: Arrivals, *,
                unknown_password: str) -> None:
    """Accounts for who has none, teams, roles, memberships. `tx` is control's; `unknown_password` a hash of something
    nobody knows."""
    for person in description.people:
        if person.id in who.unknown:
            await _make_account(tx, who.ids[person.id], person, unknown_password)
    for role in description.roles:
        await tx.execute("INSERT INTO custom_role (id, workspace_id, name, grants_json, created_at) "
                         "VALUES (?, ?, ?, ?, ?)", role.id, workspace_id, role.name, role.grants_text, role.created_at)
    for person in description.people:
        # Groups of a sign-in provider are another server's; here the role is simply theirs.
        await tx.execute(
            "INSERT INTO membership (workspace_id, user_id, role, created_at, state, modules_off, channels_json, "
            "masked) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", workspace_id, who.ids[person.id], person.role,
            person.created_at, person.state, person.modules_off, person.channels_text, person.masked)
        await tx.audit("member.added", "workspace", workspace_id, workspace_id=workspace_id,
                       user_id=who.ids[person.id], role=person.role)
    for team in description.teams:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, ?, ?)", team.id,
                         workspace_id, team.name, team.created_at)
        for member in team.members:
            if member in who.ids:
                await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", team.id,
                                 who.ids[member])


async def _make_account(tx: Transaction, user_id: str, person: Person, unknown_password: str) -> None:
    await tx.execute("INSERT INTO user (id, email, name, password_hash, locale, time_zone, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", user_id, person.email, person.name, unknown_password,
                     person.locale, person.time_zone, tx.now)
    await tx.audit("user.created", "user", user_id)

"""For whom something is made outside a request: a member as they are at this very moment, or nobody.

Asked again right before each push and mail, so somebody who was removed, or whose rights changed, is told nothing more.
"""

from __future__ import annotations

import msgspec

from chime import accounts
from chime.accounts import User
from chime.notifications.choices import choices
from chime.notifications.model import Choices
from chime.phone import numbers_shown_to
from chime.security.permissions import Actor, Permission
from chime.security.scope import Viewer, viewer
from chime.web.language import catalogue
from chime.workspaces import Control, WorkspaceRecord


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A member, what they chose and how far they see."""

    user: User
    actor: Actor
    choices: Choices
    workspace: WorkspaceRecord

    @property
    def viewer(self) -> Viewer:
        return viewer(self.actor, Permission.INBOX_READ)

    @property
    def zone(self) -> str:
        return self.user.time_zone or self.workspace.time_zone

    def in_peace(self, now: int) -> bool:
        return self.choices.in_peace(now, self.zone)

    def words(self, text: str) -> str:
        return catalogue(self.user.locale).gettext(text)

    def begin(self) -> None:
        """From here on this task shows numbers as to this person."""
        numbers_shown_to(self.actor.sees_numbers, masks_texts=self.actor.masks_texts)


async def reader(control: Control, workspace_id: str, user_id: str) -> Reader | None:
    """None for whoever may not come in now."""
    actor = await accounts.member_actor(control.db, workspace_id, user_id)
    if actor is None or not actor.may(Permission.INBOX_READ):
        return None
    user = await accounts.user(control.db, user_id)
    workspace = await control.workspace(workspace_id)
    if user is None or workspace is None or workspace.state != "active":
        return None
    return Reader(user=user, actor=actor, choices=await choices(control.db, user_id), workspace=workspace)

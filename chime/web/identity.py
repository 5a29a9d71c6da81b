"""Who a request comes from, as the guard found out. Filled by the accounts feature, read by every handler."""

from __future__ import annotations

import msgspec

from chime.security.permissions import Actor
from chime.workspaces import WorkspaceRecord


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in person or an API key. `workspace` is None on pages that belong to none.

    `session_id` is empty for an API key; `workspaces` are those the person may switch to.
    """

    actor: Actor
    email: str = ""
    session_id: str = ""
    locale: str = "en"
    time_zone: str = ""
    workspace: WorkspaceRecord | None = None
    workspaces: tuple[WorkspaceRecord, ...] = ()

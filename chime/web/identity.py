"""Who a request comes from, as the guard found out. Filled by the accounts feature, read by every handler."""

from __future__ import annotations

import msgspec

from chime.security.limits import Limit
from chime.security.permissions import Actor
from chime.workspaces import WorkspaceRecord


class SupportShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of support whom a workspace let in, as its members are told."""

    id: str
    operator_id: str
    name: str
    ends_at: int
    writes: bool
    masked: bool
    is_emergency: bool


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in person or an API key. `workspace` is None on pages that belong to none.

    `session_id` is empty for an API key; `workspaces` are those the person may switch to; `limits` are those of a key
    for which they were changed, shortest interval first.

    Of a person's session: `proved_at` is when they last showed that it is they; `second_factors` what they could show
    besides a password (totp, passkey); `must_enrol` whether they have to set one up before anything else.

    `addresses`: the only networks from which the workspace may be opened, none for any.

    `suspended`: of a member whose workspace an operator suspended, the reason (perhaps empty); else None.

    `support`: who of support the workspace lets in now; `support_waiting`: how many requests this person may answer.
    """

    actor: Actor
    email: str = ""
    session_id: str = ""
    locale: str = "en"
    time_zone: str = ""
    workspace: WorkspaceRecord | None = None
    workspaces: tuple[WorkspaceRecord, ...] = ()
    limits: tuple[Limit, ...] = ()
    proved_at: int = 0
    second_factors: tuple[str, ...] = ()
    must_enrol: bool = False
    addresses: tuple[str, ...] = ()
    suspended: str | None = None
    support: tuple[SupportShown, ...] = ()
    support_waiting: int = 0

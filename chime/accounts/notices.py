"""What a person should know of their own account: a list of their own. `tx` is control's."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.clock import DAY
from chime.db import Db
from chime.workspaces import Transaction

_KEPT = 400 * DAY
MOST_SHOWN = 30
# What happened, as it is listed and mailed. A mail ends: if it was not you; or with the way to what it tells of.
KINDS: dict[str, str] = {
    "new_device": "Somebody signed in with your account on a new device.",
    "password_changed": "Your password was changed.",
    "password_reset": "Your password was set anew with a link.",
    "authenticator_added": "An authenticator app was added to your account.",
    "authenticator_removed": "The authenticator app was removed from your account.",
    "passkey_added": "A passkey was added to your account.",
    "passkey_removed": "A passkey was removed from your account.",
    "passkey_copied": "A passkey was refused because a copy of it seems to exist.",
    "recovery_codes_made": "New recovery codes were made for your account.",
    "recovery_code_used": "A recovery code of your account was used.",
    "many_failures": "Somebody tried to sign in with your address and a wrong password ten times or more.",
    "provider_connected": "Your account was connected with the sign-in provider, which opens it from now on.",
    "provider_disconnected": "Your account was disconnected from the sign-in provider.",
    "group_rule_waits": "The operator asks to let a group of the sign-in provider into a workspace of yours. Agree or "
                        "refuse in its settings, under Sign-in groups.",
    "workspace_full": "A group of the sign-in provider would let somebody into a workspace that has as many members "
                      "and open invitations as it may have. Remove one, or ask whoever runs this server for more.",
    "no_place_for_you": "A group of yours at the sign-in provider leads to a workspace that has as many members as it "
                        "may have. Those who look after it are told; sign in again when they have made room.",
    "ownership_offered": "The ownership of a workspace is offered to you. Accept or decline it within 72 hours.",
    "audit_alarm": "The audit log of a workspace was changed from outside. Nothing more is signed until somebody "
                   "looked.",
    "installation_audit_alarm": "The audit log of this server was changed from outside. Nothing more is signed until "
                                "somebody looked.",
    "installation_trouble": "Something of this server is out of order.",
    "installation_well": "What was out of order on this server is well again.",
    "sessions_ended": "An administrator ended your sessions.",
    "second_factor_reset_begun": "A colleague asked to take away your second factor. It happens after 24 hours; "
                                 "stop it on your security page if this is not your wish.",
    "second_factor_reset": "Your second factor was taken away. Set up another.",
    "second_factor_reset_of": "The second factor of a member will be taken away in 24 hours, because they lost it.",
}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    at: int
    details: dict[str, Any]
    seen_at: int | None

    @property
    def words(self) -> str:
        return KINDS.get(self.kind, self.kind)


async def tell(tx: Transaction, user_id: str, kind: str, *, now: int, **details: str | int) -> None:
    """Add to the person's list. `details` hold an address, a device, a name: nothing secret."""
    await tx.execute("DELETE FROM notice WHERE user_id = ? AND at < ?", user_id, now - _KEPT)
    await tx.execute("INSERT INTO notice (id, user_id, kind, at, details_json) VALUES (?, ?, ?, ?, ?)", tx.new_id(),
                     user_id, kind, now, msgspec.json.encode(details).decode())


async def notices_of(db: Db, user_id: str) -> list[Notice]:
    """The newest first."""
    return await db.all(Notice, "SELECT kind, at, details_json, seen_at FROM notice WHERE user_id = ? "
                        "ORDER BY at DESC, id DESC LIMIT ?", user_id, MOST_SHOWN)


async def unseen(db: Db, user_id: str) -> int:
    return int(await db.value("SELECT count(*) FROM notice WHERE user_id = ? AND seen_at IS NULL", user_id))


async def mark_seen(tx: Transaction, user_id: str, now: int) -> None:
    await tx.execute("UPDATE notice SET seen_at = ? WHERE user_id = ? AND seen_at IS NULL", now, user_id)

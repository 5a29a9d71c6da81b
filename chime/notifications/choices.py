"""What each person chose to hear of, kept beside their account: it holds in every workspace of theirs. `db` and `tx`
are control's."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.db import Db
from chime.notifications.model import Choices
from chime.workspaces import Transaction


class _Kept(msgspec.Struct, frozen=True):
    user_id: str
    choices: Choices


async def choices(db: Db, user_id: str) -> Choices:
    """The usual ones for who never chose."""
    return (await choices_of(db, [user_id])).get(user_id, Choices())


async def choices_of(db: Db, user_ids: Collection[str]) -> dict[str, Choices]:
    """Of those who chose, by person."""
    found = await db.all(_Kept, "SELECT user_id, choices_json FROM notification_choice WHERE user_id IN "
                         "(SELECT value FROM json_each(?))", msgspec.json.encode(sorted(user_ids)).decode())
    return {one.user_id: one.choices for one in found}


async def choose(tx: Transaction, user_id: str, wanted: Choices) -> None:
    if await choices(tx, user_id) == wanted:
        return
    await tx.execute("INSERT INTO notification_choice (user_id, choices_json, updated_at) VALUES (?, ?, ?) "
                     "ON CONFLICT (user_id) DO UPDATE SET choices_json = excluded.choices_json, "
                     "updated_at = excluded.updated_at", user_id, msgspec.json.encode(wanted).decode(), tx.now)
    await tx.audit("notifications.chosen", "user", user_id, digest=wanted.digest.value, quiet=wanted.is_quiet,
                   shows_text=wanted.shows_text)

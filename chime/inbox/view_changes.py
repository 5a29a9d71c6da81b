"""Saved views go on working when what they ask for becomes part of something else: they ask for that then.

Promise: what is parted again within its day, the views ask for as before, unless somebody changed them meanwhile.
"""

from __future__ import annotations

import msgspec

from chime.errors import Invalid
from chime.inbox.list_filter import parse
from chime.workspaces import Transaction


async def follow(tx: Transaction, change_id: str, field: str, gone_id: str, kept_id: str) -> None:
    """In this field of a filter one thing takes another's place."""
    for view_id, was in await tx.rows("SELECT id, filter FROM saved_view WHERE instr(filter, ?) LIMIT 1000", gone_id):
        try:
            wanted = parse(was)
        except Invalid:
            continue
        asked = getattr(wanted, field)
        if gone_id not in asked:
            continue
        values = tuple(dict.fromkeys(kept_id if one == gone_id else one for one in asked))
        became = msgspec.structs.replace(wanted, **{field: values}).query
        await tx.execute("UPDATE saved_view SET filter = ? WHERE id = ?", became, view_id)
        await tx.execute("INSERT INTO tag_change_view (change_id, view_id, was, became) VALUES (?, ?, ?, ?)", change_id,
                         view_id, was, became)


async def part_again(tx: Transaction, change_id: str) -> None:
    await tx.execute("UPDATE saved_view SET filter = (SELECT was FROM tag_change_view WHERE change_id = ?1 "
                     "AND view_id = saved_view.id) WHERE EXISTS (SELECT 1 FROM tag_change_view WHERE change_id = ?1 "
                     "AND view_id = saved_view.id AND became = saved_view.filter)", change_id)

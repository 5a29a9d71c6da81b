"""Tags of conversations: what a talk is about. The tags of a contact, who somebody is, are others.

A tag is made by being used. Names are one's own words, so they stand in no log; an audit row has ids.
"""

from __future__ import annotations

from chime.errors import Conflict, Invalid, NotFound
from chime.inbox.actions import add_event
from chime.inbox.carried_tags import ThreadTag, tag
from chime.workspaces import Transaction

MOST_OF_ONE = 20
MOST_TAGS = 500
LONGEST = 40


async def create(tx: Transaction, name: str) -> ThreadTag:
    """One that nobody carries yet. Raises Invalid, Conflict."""
    name = _sound(name)
    if await tx.value("SELECT 1 FROM thread_tag WHERE name = ?", name):
        raise Conflict("There is a tag of this name already.")
    return await _make(tx, name)


async def named(tx: Transaction, name: str) -> ThreadTag:
    """The tag of this name, made when there is none. Raises Invalid, Conflict."""
    name = _sound(name)
    found = await tx.one(ThreadTag, "SELECT id, name FROM thread_tag WHERE name = ?", name)
    return found or await _make(tx, name)


async def attach(tx: Transaction, conversation_id: str, tag_id: str) -> None:
    """Put a tag on a conversation; one that is there stays. Raises NotFound, Invalid."""
    found = await _tag(tx, tag_id)
    if await tx.value("SELECT 1 FROM conversation WHERE id = ?", conversation_id) is None:
        raise NotFound("There is no such conversation.")
    if await _carries(tx, conversation_id, tag_id):
        return
    if await tx.value("SELECT count(*) FROM conversation_tag WHERE conversation_id = ?",
                      conversation_id) >= MOST_OF_ONE:
        raise Invalid.field("tags", "A conversation has at most 20 tags.")
    await tx.execute("INSERT INTO conversation_tag (tag_id, conversation_id, created_at) VALUES (?, ?, ?)", tag_id,
                     conversation_id, tx.now)
    await add_event(tx, conversation_id, "tagged", actor_name=tx.actor.name, tag_name=found.name)
    await tx.audit("conversation.tagged", "conversation", conversation_id, tag_id=tag_id)


async def detach(tx: Transaction, conversation_id: str, tag_id: str) -> None:
    """Take a tag off. Raises NotFound."""
    found = await _tag(tx, tag_id)
    if not await tx.execute("DELETE FROM conversation_tag WHERE tag_id = ? AND conversation_id = ?", tag_id,
                            conversation_id):
        return
    await add_event(tx, conversation_id, "untagged", actor_name=tx.actor.name, tag_name=found.name)
    await tx.audit("conversation.untagged", "conversation", conversation_id, tag_id=tag_id)


async def _carries(tx: Transaction, conversation_id: str, tag_id: str) -> bool:
    return bool(await tx.value("SELECT 1 FROM conversation_tag WHERE tag_id = ? AND conversation_id = ?", tag_id,
                               conversation_id))


async def _tag(tx: Transaction, tag_id: str) -> ThreadTag:
    found = await tag(tx, tag_id)
    if found is None:
        raise NotFound("There is no such tag.")
    return found


async def _make(tx: Transaction, name: str) -> ThreadTag:
    if await tx.value("SELECT count(*) FROM thread_tag") >= MOST_TAGS:
        raise Conflict("There are 500 tags already.")
    made = ThreadTag(tx.new_id(), name)
    await tx.execute("INSERT INTO thread_tag (id, name, created_at) VALUES (?, ?, ?)", made.id, made.name, tx.now)
    await tx.audit("conversation_tag.created", "conversation_tag", made.id)
    return made


def _sound(name: str) -> str:
    found = " ".join(name.replace("\0", "").split())
    if not 0 < len(found) <= LONGEST:
        raise Invalid.field("tags", "A tag has 1 to 40 characters.")
    return found

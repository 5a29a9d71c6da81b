"""The people a search finds: by name, by what stands in a field of theirs or, for who may see numbers, by number."""

from __future__ import annotations

import msgspec

from chime import contacts
from chime.contacts import FieldMatch
from chime.inbox import conversation_queries, search_queries
from chime.inbox.model import Conversation
from chime.security.scope import Viewer
from chime.workspaces import Workspace


class FoundPeople(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations of people; `matches` has the field of those who were found by one alone, by contact."""

    conversations: list[Conversation]
    matches: dict[str, FieldMatch]


async def people_found(workspace: Workspace, viewer: Viewer, text: str, *, by_number: bool) -> FoundPeople:
    """Conversations of the people with this name, number or field: those first whose name begins so, then the newest;
    after them those with such a field."""
    reads = workspace.db.long_reads
    ids = await search_queries.people(reads, viewer, text, by_number=by_number)
    matches = {match.contact_id: match for match in
               await contacts.held_with_value(reads, viewer, text, by_number=by_number) if match.contact_id not in ids}
    ids = [*ids, *matches]
    found = await conversation_queries.conversations_of_contacts(workspace.db, viewer, ids) if ids else []
    start = text.lower().removeprefix("@")

    def order(conversation: Conversation) -> tuple[bool, bool, int]:
        begins = any(name.startswith(start) for name in conversation.title.lower().split())
        return conversation.contact_id in matches, not begins, -conversation.last_message_at

    return FoundPeople(conversations=sorted(found, key=order), matches=matches)


async def people_named(workspace: Workspace, viewer: Viewer, text: str, *, by_number: bool) -> list[Conversation]:
    """Their conversations alone."""
    return (await people_found(workspace, viewer, text, by_number=by_number)).conversations

"""Row scope: which conversations, messages, files and contacts somebody reaches, as SQL fragments that exist once.

A grant's reach is a predicate inside the query, never a check after reading. Own: what is assigned to me, and from the
queue of my teams what nobody has yet (of that only the first lines). Team: my teams' and no team's conversations, and
what is assigned to me. Both, and everything, only on the numbers somebody is limited to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.security.permissions import Actor, Permission, Reach


class Sight(StrEnum):
    """Which fragment a viewer needs."""

    ALL = "all"
    CHANNELS = "channels"
    TEAM = "team"
    OWN = "own"
    NONE = "none"


class Viewer(msgspec.Struct, frozen=True):
    """Who reads, and how far. `values` and `held_values` belong to the fragments of the same sight."""

    sight: Sight
    user_id: str = ""
    teams_json: str = "[]"
    channels_json: str | None = None

    @property
    def is_limited(self) -> bool:
        return self.sight is not Sight.ALL

    @property
    def values(self) -> tuple[Any, ...]:
        """For `CONVERSATIONS`, `MESSAGES` and `CONTACTS`."""
        if self.sight in (Sight.ALL, Sight.NONE):
            return ()
        channels = (self.channels_json, self.channels_json)
        return channels if self.sight is Sight.CHANNELS else (*channels, self.user_id, self.teams_json)

    @property
    def held_values(self) -> tuple[Any, ...]:
        """For `HELD`."""
        return (*self.values[:2], self.user_id) if self.sight is Sight.OWN else self.values


EVERYTHING = Viewer(Sight.ALL)


def viewer(actor: Actor, permission: Permission) -> Viewer:
    """How far an actor's grant of this permission reaches. Chime itself and the operator's shell reach everything."""
    if actor.kind in ("system", "operator"):
        return EVERYTHING
    reach = actor.grant(permission).reach
    channels = None if actor.channels is None else msgspec.json.encode(sorted(actor.channels)).decode()
    if reach is Reach.NONE:
        return Viewer(Sight.NONE)
    if reach is Reach.ALL:
        return EVERYTHING if channels is None else Viewer(Sight.CHANNELS, channels_json=channels)
    teams = msgspec.json.encode(sorted(actor.teams)).decode()
    # What is a person's own is also their key's.
    person = actor.on_behalf if actor.kind == "api_key" else actor.id or ""
    return Viewer(Sight.TEAM if reach is Reach.TEAM else Sight.OWN, person, teams, channels)


def may_be_given(actor: Actor, *, channel_id: str | None, team_id: str | None) -> bool:
    """Whether somebody could be given a conversation that nobody has: they read and answer, it came in on a number of
    theirs, and it is nobody's team's or one they reach. Without a number: on any of them."""
    reach = min(actor.grant(Permission.INBOX_READ).reach, actor.grant(Permission.INBOX_REPLY).reach)
    on_theirs = actor.channels is None or (channel_id in actor.channels if channel_id else bool(actor.channels))
    if reach is Reach.NONE or not on_theirs:
        return False
    return team_id is None or reach is Reach.ALL or team_id in actor.teams


_ON_CHANNELS = " AND (? IS NULL OR conversation.channel_id IN (SELECT value FROM json_each(?)))"
_OF_TEAMS = "(conversation.team_id IS NULL OR conversation.team_id IN (SELECT value FROM json_each(?)))"

# Appended to a WHERE that knows `conversation`.
CONVERSATIONS: dict[Sight, str] = {
    Sight.ALL: "",
    Sight.CHANNELS: _ON_CHANNELS,
    Sight.TEAM: _ON_CHANNELS + " AND (conversation.assignee_id = ? OR " + _OF_TEAMS + ")",
    Sight.OWN: _ON_CHANNELS + " AND (conversation.assignee_id = ? OR (conversation.assignee_id IS NULL AND "
               + _OF_TEAMS + "))",
    # Not `AND 0`: SQLite finds no way to run a query then that names its index.
    Sight.NONE: " AND conversation.id = ''",
}
# The same without the queue: what one may read whole, answer and change.
HELD: dict[Sight, str] = CONVERSATIONS | {Sight.OWN: _ON_CHANNELS + " AND conversation.assignee_id = ?"}

# Appended to a WHERE that knows `contact`: those with a conversation in sight; those who never had one are everybody's
# but an agent's.
CONTACTS: dict[Sight, str] = {
    sight: "" if sight is Sight.ALL else
    (" AND (EXISTS (SELECT 1 FROM conversation WHERE conversation.contact_id = contact.id" + fragment + ")"
     + ("" if sight in (Sight.OWN, Sight.NONE) else
        " OR NOT EXISTS (SELECT 1 FROM conversation WHERE conversation.contact_id = contact.id)") + ")")
    for sight, fragment in CONVERSATIONS.items()}

# Appended to a WHERE that knows the message `doubt`.
DOUBTS: dict[Sight, str] = {
    sight: "" if sight is Sight.ALL else
    " AND EXISTS (SELECT 1 FROM conversation WHERE conversation.id = doubt.conversation_id" + fragment + ")"
    for sight, fragment in HELD.items()}

# Whether the thing a path names is in sight: asked before the handler runs, for every route whose path has such an id.
# What is not there at all passes, so that its own handler says so in its own words.
_CONVERSATION = "SELECT EXISTS (SELECT 1 FROM conversation WHERE conversation.id = ?"
_OF_MESSAGE = "SELECT EXISTS (SELECT 1 FROM message JOIN conversation ON conversation.id = message.conversation_id "
_THROUGH_MESSAGE = _OF_MESSAGE + "WHERE message.id = ?"
_THROUGH_MEDIA = _OF_MESSAGE + "WHERE message.media_id = ?"
_THROUGH_NOTE = ("SELECT EXISTS (SELECT 1 FROM note JOIN conversation ON conversation.id = note.conversation_id "
                 "WHERE note.id = ?")
_THROUGH_SCHEDULED = ("SELECT EXISTS (SELECT 1 FROM scheduled_message JOIN conversation "
                      "ON conversation.id = scheduled_message.conversation_id WHERE scheduled_message.id = ?")
_THROUGH_REMINDER = ("SELECT EXISTS (SELECT 1 FROM reminder JOIN conversation "
                     "ON conversation.id = reminder.conversation_id WHERE reminder.id = ?")
IN_SIGHT: dict[str, dict[Sight, str]] = {
    "conversation_id": {sight: _CONVERSATION + fragment + ")" for sight, fragment in CONVERSATIONS.items()},
    "message_id": {sight: _THROUGH_MESSAGE + fragment + ")" for sight, fragment in HELD.items()},
    "media_id": {sight: _THROUGH_MEDIA + fragment + ")" for sight, fragment in HELD.items()},
    "note_id": {sight: _THROUGH_NOTE + fragment + ")" for sight, fragment in HELD.items()},
    "scheduled_id": {sight: _THROUGH_SCHEDULED + fragment + ")" for sight, fragment in HELD.items()},
    "reminder_id": {sight: _THROUGH_REMINDER + fragment + ")" for sight, fragment in CONVERSATIONS.items()},
    "contact_id": {sight: "SELECT EXISTS (SELECT 1 FROM contact WHERE contact.id = ?" + fragment + ")"
                   for sight, fragment in CONTACTS.items()},
}
# Those that are reached only where the conversation is held: their fragments take `held_values`.
THROUGH_HELD = frozenset({"message_id", "media_id", "note_id", "scheduled_id"})
IN_HAND: dict[Sight, str] = {sight: _CONVERSATION + fragment + ")" for sight, fragment in HELD.items()}
# What an agent may do with a conversation of the queue: see its first lines, and take it.
QUEUE_PERMISSIONS = frozenset({Permission.INBOX_READ, Permission.INBOX_ASSIGN})

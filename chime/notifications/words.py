"""What a notification says, in its reader's language, made when it is read: names as the reader may see them now."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import msgspec

from chime.notifications.model import Kind, Notification
from chime.text_marks import plain

Words = Callable[[str], str]
LONGEST_EXCERPT = 160


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list. `url` leads to what it is about; `mark` is the name of an icon."""

    id: str
    kind: str
    text: str
    url: str
    mark: str
    at: int
    is_read: bool
    conversation_id: str | None


_MARKS = {
    Kind.ASSIGNED_TO_ME: "user-plus", Kind.NEW_UNASSIGNED: "inbox", Kind.NEW_MESSAGE: "message-circle",
    Kind.MENTION: "at-sign", Kind.WAITING_TOO_LONG: "hourglass", Kind.REMINDER: "alarm-clock",
    Kind.STAND_IN: "user-round",
    Kind.SCHEDULED_FAILED: "circle-alert", Kind.CUSTOMER_WROTE_FIRST: "message-circle",
    Kind.CAMPAIGN_FINISHED: "check-check", Kind.NUMBER_QUALITY: "circle-alert",
    Kind.CONNECTION_TROUBLE: "triangle-alert", Kind.CONNECTION_WELL: "check-check",
    Kind.MESSAGES_HELD: "hourglass", Kind.MESSAGES_IN_DOUBT: "triangle-alert",
}


def shown(words: Words, row: Notification, base: str) -> Shown:
    return Shown(id=row.id, kind=row.kind.value, text=headline(words, row), url=address(row, base),
                 mark=_MARKS[row.kind], at=row.at, is_read=row.read_at is not None,
                 conversation_id=row.conversation_id)


def address(row: Notification, base: str) -> str:
    """The page it leads to, below the workspace's address."""
    if row.conversation_id is not None:
        return f"{base}/inbox/{quote(row.conversation_id, safe='')}"
    return base + (row.path if row.path.startswith("/") else "/notifications")


def headline(words: Words, row: Notification) -> str:
    """One sentence."""
    return _sentence(words, row) % {"about": row.about, "by": row.by_name, "count": row.count}


def _sentence(words: Words, row: Notification) -> str:
    match row.kind:
        case Kind.ASSIGNED_TO_ME:
            return (words("%(by)s assigned %(about)s to you") if row.by_name
                    else words("%(about)s is assigned to you"))
        case Kind.NEW_UNASSIGNED:
            return words("%(about)s wrote, and nobody is assigned")
        case Kind.NEW_MESSAGE:
            return words("%(about)s wrote %(count)s messages") if row.count > 1 else words("%(about)s wrote to you")
        case Kind.MENTION:
            return (words("%(by)s mentioned you in a note about %(about)s") if row.by_name
                    else words("You were mentioned in a note about %(about)s"))
        case Kind.WAITING_TOO_LONG:
            return words("%(about)s has been waiting too long")
        case Kind.REMINDER:
            return words("Reminder: %(about)s")
    return _sentence_of_rarer(words, row)


def _sentence_of_rarer(words: Words, row: Notification) -> str:
    match row.kind:
        case Kind.STAND_IN:
            return words("%(about)s wrote; you stand in for a colleague who is away")
        case Kind.SCHEDULED_FAILED:
            return words("A scheduled message to %(about)s was not sent")
        case Kind.CUSTOMER_WROTE_FIRST:
            return words("%(about)s wrote before your scheduled message was sent")
        case Kind.CAMPAIGN_FINISHED:
            return words("The campaign %(about)s is finished")
        case Kind.CONNECTION_TROUBLE:
            return words("The connection of %(about)s needs a look")
        case Kind.CONNECTION_WELL:
            return words("The connection of %(about)s is well again")
        case Kind.MESSAGES_HELD:
            return words("Messages are on hold until somebody says whether they go")
        case Kind.MESSAGES_IN_DOUBT:
            return words("Messages may have been sent; somebody has to say what becomes of them")
        case _:
            return words("The quality rating of %(about)s changed")


def kind_words(words: Words) -> dict[str, tuple[str, str]]:
    """What each kind is called where people choose, and when it happens."""
    return {
        Kind.ASSIGNED_TO_ME.value: (words("Assigned to me"), words("A colleague or a rule gives you a conversation")),
        Kind.NEW_MESSAGE.value: (words("New message"), words("In a conversation that is yours")),
        Kind.NEW_UNASSIGNED.value: (words("New and unassigned"), words("Somebody writes and nobody has it yet")),
        Kind.MENTION.value: (words("Mention of me"), words("A colleague names you or your team in a note")),
        Kind.WAITING_TOO_LONG.value: (words("Waiting too long"), words("An answer is late by your service level")),
        Kind.STAND_IN.value: (words("Standing in"), words("A customer of somebody who is away writes")),
        Kind.REMINDER.value: (words("My reminder"), words("The moment you chose has come")),
        Kind.SCHEDULED_FAILED.value: (words("Not sent later"), words("A message you scheduled could not be sent")),
        Kind.CUSTOMER_WROTE_FIRST.value: (words("They wrote first"), words("Before a message you scheduled went out")),
        Kind.CAMPAIGN_FINISHED.value: (words("Campaign finished"), words("One that you started has ended")),
        Kind.NUMBER_QUALITY.value: (words("Number quality"), words("WhatsApp rates a number of yours differently")),
        Kind.CONNECTION_TROUBLE.value: (words("Connection trouble"), words("A number of yours may not work")),
        Kind.CONNECTION_WELL.value: (words("Connection well again"), words("The trouble with a number is over")),
        Kind.MESSAGES_HELD.value: (words("Messages on hold"), words("After a restore, they wait for your word")),
        Kind.MESSAGES_IN_DOUBT.value: (words("Messages in doubt"), words("Nobody knows whether they were sent")),
    }


def cut(text: str) -> str:
    """The first words of a message, on one line."""
    line = " ".join(plain(text).split())
    return line if len(line) <= LONGEST_EXCERPT else line[:LONGEST_EXCERPT - 1].rstrip() + "…"

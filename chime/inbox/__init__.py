"""The inbox: conversations between customers and the team, and every message that comes or goes.

One conversation is one contact on one of our numbers. What a webhook brought is applied exactly once; what goes out
passes `queue_message` and no other way; outside the 24-hour window only templates leave; a message whose fate is
unknown is shown as such and never sent again by itself.
"""

from chime.inbox.actions import SEND_READ, SEND_TYPING, assign, close, mark_read, open_thread, reopen
from chime.inbox.changes import FETCH_MEDIA
from chime.inbox.gauges import gauges
from chime.inbox.model import (
    Conversation,
    ConversationEvent,
    ConversationState,
    Direction,
    Media,
    MediaState,
    Message,
    Origin,
    Status,
    View,
    Window,
)
from chime.inbox.queries import (
    conversation,
    conversations,
    conversations_of_contact,
    counts,
    events,
    last_inbound,
    media,
    message,
    message_by_client_id,
    message_of_media,
    messages,
    unread,
)
from chime.inbox.receive import (
    call,
    change_identity,
    echo,
    edit,
    history,
    react,
    receive,
    recognise,
    revoke,
)
from chime.inbox.sending import DELIVER, Draft, discard, queue_message, retry
from chime.inbox.statuses import record

__all__ = ["DELIVER", "FETCH_MEDIA", "SEND_READ", "SEND_TYPING", "Conversation", "ConversationEvent",
           "ConversationState", "Direction", "Draft", "Media", "MediaState", "Message", "Origin", "Status", "View",
           "Window", "assign", "call", "change_identity", "close", "conversation", "conversations",
           "conversations_of_contact", "counts", "discard", "echo", "edit", "events", "gauges", "history",
           "last_inbound", "mark_read", "media", "message", "message_by_client_id", "message_of_media", "messages",
           "open_thread", "queue_message", "react", "receive", "recognise", "record", "reopen", "retry", "revoke",
           "unread"]

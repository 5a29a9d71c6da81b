"""The inbox: conversations between customers and the team, and every message that comes or goes.

One conversation is one contact on one of our numbers. What a webhook brought is applied exactly once; what goes out
passes `queue_message` and no other way; outside the 24-hour window only templates leave; a message whose fate is
unknown is shown as such and never sent again by itself.
"""

from chime.accounts import QUEUE, ROUTE
from chime.inbox.actions import (
    AFTERWARDS,
    RESOLVED,
    SEND_READ,
    SEND_TYPING,
    add_event,
    assign,
    close,
    mark_read,
    open_thread,
    reopen,
)
from chime.inbox.changes import FETCH_MEDIA
from chime.inbox.claiming import claims_replies, set_claims_replies
from chime.inbox.clocks import count_again
from chime.inbox.conversation_queries import (
    conversation,
    conversations,
    conversations_by_id,
    conversations_of_contact,
    conversations_waiting,
    counts,
    unread,
)
from chime.inbox.forgetting import (
    Doomed,
    forget_messages,
    forget_threads,
    forget_words,
    messages_before,
    messages_named,
    messages_of,
    remove_files,
    remove_scheduled_files,
)
from chime.inbox.gauges import gauges
from chime.inbox.handover import give_to_team
from chime.inbox.held import (
    Held,
    Sent,
    Why,
    count_held,
    held,
    hold_scheduled,
    let_go,
    release,
    settle_or_hold,
    unsettled,
)
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
    events,
    last_inbound,
    media,
    message,
    message_by_client_id,
    message_of_media,
    messages,
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
from chime.inbox.search_people import people_named
from chime.inbox.sending import DELIVER, Draft, discard, queue_message, retry
from chime.inbox.statuses import record

__all__ = ["AFTERWARDS", "DELIVER", "FETCH_MEDIA", "QUEUE", "RESOLVED", "ROUTE", "SEND_READ", "SEND_TYPING",
           "Conversation", "ConversationEvent", "ConversationState", "Direction", "Doomed", "Draft", "Held", "Media",
           "MediaState", "Message", "Origin", "Sent", "Status", "View", "Why", "Window", "add_event", "assign",
           "call", "change_identity", "claims_replies", "close", "conversation", "conversations",
           "conversations_by_id", "conversations_of_contact", "conversations_waiting", "count_again", "count_held",
           "counts", "discard", "echo", "edit", "events", "forget_messages", "forget_threads", "forget_words",
           "gauges", "give_to_team", "held", "history", "hold_scheduled", "last_inbound", "let_go", "mark_read",
           "media", "message", "message_by_client_id", "message_of_media", "messages", "messages_before",
           "messages_named", "messages_of", "open_thread", "people_named", "queue_message", "react", "receive",
           "recognise", "record", "release", "remove_files", "remove_scheduled_files", "reopen", "retry", "revoke",
           "set_claims_replies", "settle_or_hold", "unread", "unsettled"]

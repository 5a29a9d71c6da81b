"""Meta's wire formats: what arrives as typed events, what is sent as checked messages, errors as plain words.

Pure but for the client: no database, no settings, nothing global. Every shape of Meta's is known here and nowhere else.
"""

from chime.whatsapp.answers import Doubtful, GraphRefused, MediaLocation, MediaTooLarge, NotSent, SendAccepted
from chime.whatsapp.client import GraphClient
from chime.whatsapp.envelope import NotJson, Scan, ScannedChange, scan
from chime.whatsapp.errors import ErrorRule, Failure, Verdict, classify, explain
from chime.whatsapp.events import Event, event_key
from chime.whatsapp.inbound import parse
from chime.whatsapp.media_rules import MEDIA_RULES, MediaRule, check_media, kind_for_mime
from chime.whatsapp.outbound import (
    InvalidMessage,
    OutboundMessage,
    Recipient,
    graph_body,
    parse_message,
    preview,
    read_body,
    text_of,
)
from chime.whatsapp.parts import Context, MediaReference, MetaError, Person, Pricing
from chime.whatsapp.simulated import is_simulated

__all__ = [
    "MEDIA_RULES", "Context", "Doubtful", "ErrorRule", "Event", "Failure", "GraphClient", "GraphRefused",
    "InvalidMessage", "MediaLocation", "MediaReference", "MediaRule", "MediaTooLarge", "MetaError", "NotJson",
    "NotSent", "OutboundMessage", "Person", "Pricing", "Recipient", "Scan", "ScannedChange", "SendAccepted",
    "Verdict", "check_media", "classify", "event_key", "explain", "graph_body", "is_simulated",
    "kind_for_mime", "parse", "parse_message", "preview", "read_body", "scan", "text_of",
]

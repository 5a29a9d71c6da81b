"""Meta's wire formats: what arrives as typed events, what is sent as checked messages, errors as plain words.

Pure but for the client: no database, no settings, nothing global. Every shape of Meta's is known here and nowhere else.
"""

from chime.whatsapp.envelope import NotJson, Scan, ScannedChange, scan
from chime.whatsapp.events import Event, event_key
from chime.whatsapp.inbound import parse
from chime.whatsapp.parts import Context, MediaReference, MetaError, Person, Pricing

__all__ = ["Context", "Event", "MediaReference", "MetaError", "NotJson", "Person", "Pricing", "Scan", "ScannedChange",
           "event_key", "parse", "scan"]

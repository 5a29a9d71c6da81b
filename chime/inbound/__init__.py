"""Webhooks: verified, journalled, answered, applied.

200 is said only when every event of the body is durable; what is durable takes effect exactly once; what belongs to
nobody is parked, never guessed; an event that cannot be applied is set aside and holds up nothing.
"""

from chime.inbound.jobs import APPLY, JOBS
from chime.inbound.webhook import Webhooks, whatsapp_webhook

__all__ = ["APPLY", "JOBS", "Webhooks", "whatsapp_webhook"]

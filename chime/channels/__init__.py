"""Channels: the business phone numbers a workspace answers on, with their sealed tokens.

A phone number id belongs to one workspace at a time; its token leaves the vault only on the way to Meta.
"""

from chime.channels.actions import NewChannel, add, mark_trouble, pause, reconnect, record_quality, remove
from chime.channels.model import Channel
from chime.channels.queries import access_token, channel, channel_by_number, channels

__all__ = ["Channel", "NewChannel", "access_token", "add", "channel", "channel_by_number", "channels", "mark_trouble",
           "pause", "reconnect", "record_quality", "remove"]

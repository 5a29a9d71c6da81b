"""Channels: the business phone numbers a workspace answers on, with their sealed tokens.

A phone number id belongs to one workspace at a time; its token leaves the vault only on the way to Meta.
"""

from chime.channels.actions import (
    HOLDS_BACK,
    LONGEST_PAUSE,
    NewChannel,
    add,
    ask_anew,
    check_form,
    holds_back,
    mark_trouble,
    pause,
    reconnect,
    record_quality,
    remove,
)
from chime.channels.checks import examine, try_app_secret, try_token
from chime.channels.model import Channel
from chime.channels.queries import (
    OurApp,
    access_token,
    channel,
    channel_by_number,
    channels,
    one_within_reach,
    our_app,
    within_reach,
)

__all__ = ["HOLDS_BACK", "LONGEST_PAUSE", "Channel", "NewChannel", "OurApp", "access_token", "add", "ask_anew",
           "channel", "channel_by_number", "channels", "check_form", "examine", "holds_back", "mark_trouble",
           "one_within_reach", "our_app", "pause", "reconnect", "record_quality", "remove", "try_app_secret",
           "try_token", "within_reach"]

"""Ringing somebody's devices for what belongs to no workspace: an alarm of the installation to its operators.

Once, and never kept: the list of the person and a mail say the same, and a push service that is down keeps nobody.
"""

from __future__ import annotations

from chime.errors import ChimeError
from chime.jobs.model import Egress
from chime.notifications import devices
from chime.notifications.pushing import Message, ring
from chime.security.web_push import NotAKey
from chime.workspaces import Control


async def push_alarm(control: Control, egress: Egress, user_id: str, *, title: str, body: str, url: str, tag: str,
                     subject: str, now: int) -> int:
    """How many devices took it. `now` is the machine's time."""
    message, taken = Message(title=title, body=body, url=url, tag=tag, count=0).encoded(), 0
    for device in await devices.devices(control.db, user_id, now):
        try:
            where = await devices.address(control, device.id, user_id)
            if where is not None:
                status, _ = await ring(control, egress, where, message, topic=tag, urgent=True, subject=subject,
                                       now=now)
                taken += 200 <= status < 300
        except (ChimeError, NotAKey):
            continue
    return taken

"""Notifications: what each person is told of, and by which ways it reaches them.

A row holds ids and a kind. What it says is made when it is read, by what its reader may see at that moment, so nobody
is told of a conversation that is out of their sight, on no way. Each person chooses per kind: the list behind the bell,
sound, desktop, push, mail. Push goes from this server to the browser's own push service, sealed for that browser alone.
"""

from chime.notifications.actions import DELIVER, FAN_OUT, customer_wrote, move, notify, see, taken
from chime.notifications.alarm_push import push_alarm
from chime.notifications.model import Kind
from chime.notifications.queries import bell

__all__ = ["DELIVER", "FAN_OUT", "Kind", "bell", "customer_wrote", "move", "notify", "push_alarm", "see", "taken"]

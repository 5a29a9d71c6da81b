"""Support access: an operator has no way into a workspace until an owner grants it, for a while, for named modules.

Promises: whoever asks never decides; what was granted is no more than what was asked for; every page looked at is in
the workspace's own trail; all members see a banner; the time, the owner, anyone entitled or the operator ends it, and
open streams with it. How an operator becomes somebody inside is said in `chime.accounts.support_actor`.
"""

from chime.support.actions import (
    approve,
    ask,
    close,
    confirm,
    end,
    end_all,
    refuse,
    withdraw,
)
from chime.support.model import Bounds, Grant, Wish
from chime.support.queries import grant, granted_now, of_workspace, waiting

__all__ = ["Bounds", "Grant", "Wish", "approve", "ask", "close", "confirm", "end", "end_all", "grant", "granted_now",
           "of_workspace", "refuse", "waiting", "withdraw"]

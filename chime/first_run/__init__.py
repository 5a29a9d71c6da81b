"""First run: a wizard in the browser that makes an installation, equal to `chime init` and `chime channel add`.

`chime serve` on an empty data folder serves this and nothing else. Promises: without the one-time token that stands in
the service's own output nobody learns or does anything; nothing is written before the last step, and that is the same
one transaction as `chime init`; no password, token or name is ever there by default.
"""

from chime.first_run.desk import Begin, Begun, Desk
from chime.first_run.model import Draft, Owner
from chime.first_run.one_time import LASTS, OneTimeToken, announce, forget_announcement

__all__ = ["LASTS", "Begin", "Begun", "Desk", "Draft", "OneTimeToken", "Owner", "announce", "forget_announcement"]

"""The audit trail: who did what, from where, with what result; a chain of hashes, a Merkle tree, signed checkpoints.

Promise: a row is written in the transaction of what it tells of, or before what it lets out; nothing before the last
checkpoint that somebody else holds can be changed, cut, reordered or forged without `chime audit verify` saying so.
"""

from chime.audit.anchoring import anchoring
from chime.audit.checkpoints import TrailChanged, accept_as_it_is, sign
from chime.audit.denials import Denials
from chime.audit.examine import examine, examine_copy
from chime.audit.gauges import gauges
from chime.audit.jobs import JOBS, last_verdict
from chime.audit.model import Alarm, Checkpoint, Event, Filter, Verdict
from chime.audit.moving import SignedAgain, sign_again
from chime.audit.queries import alarm
from chime.audit.readings import Reading, read, read_first
from chime.audit.retention import days_kept, keep_for
from chime.audit.trail import Trail, installation_trail, public_key, trail_of
from chime.audit.watch import watch_installation

__all__ = ["JOBS", "Alarm", "Checkpoint", "Denials", "Event", "Filter", "Reading", "SignedAgain", "Trail",
           "TrailChanged", "Verdict", "accept_as_it_is", "alarm", "anchoring", "days_kept", "examine", "examine_copy",
           "gauges", "installation_trail", "keep_for", "last_verdict", "public_key", "read", "read_first", "sign",
           "sign_again", "trail_of", "watch_installation"]

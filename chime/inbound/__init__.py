"""Webhooks: verified, journalled, answered, applied.

200 is said only when every event of the body is durable; what is durable takes effect exactly once; what belongs to
nobody is parked, never guessed; an event that cannot be applied is set aside and holds up nothing.
"""

from chime.inbound import jobs, proof_jobs, release_jobs, self_test
from chime.inbound.gauges import gauges
from chime.inbound.jobs import APPLY
from chime.inbound.model import Account, Replayed, SetAside, since_moment
from chime.inbound.parked_watch import watch as forgetting
from chime.inbound.proof import Proof, WorkspaceProof, installation, prove_workspace
from chime.inbound.queries import open_count, parked_count
from chime.inbound.webhook import Webhooks

JOBS = [*jobs.JOBS, *proof_jobs.JOBS, *release_jobs.JOBS]

__all__ = ["APPLY", "JOBS", "Account", "Proof", "Replayed", "SetAside", "Webhooks", "WorkspaceProof", "forgetting",
           "gauges", "installation", "open_count", "parked_count", "prove_workspace", "self_test", "since_moment"]

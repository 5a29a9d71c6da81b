"""Restoring a workspace: its earlier state is opened as a muted copy, compared, and takes over when people say so.

Promises: a copy sends nothing, runs nothing and is told nothing. Whatever takes over is written down step by step, so
that a crash anywhere is gone on from and the workspace is always its old self or its new one. What must not be rolled
back is not: opt-outs, erasures, members, the audit trail, and the knowledge of what was sent. What waited to be sent at
that moment leaves only when a person says so.
"""

from chime.restores.actions import ask_copy, ask_take_over, throw_away
from chime.restores.jobs import JOBS, TAKE_OVER
from chime.restores.model import KIND, Copy, Means, Restore, Tally
from chime.restores.queries import copies, copy, copy_named, restore, restores, under_way
from chime.restores.restorer import Restorer
from chime.restores.tallies import compare
from chime.restores.trial import trial_checks

__all__ = ["JOBS", "KIND", "TAKE_OVER", "Copy", "Means", "Restore", "Restorer", "Tally", "ask_copy", "ask_take_over",
           "compare", "copies", "copy", "copy_named", "restore", "restores", "throw_away", "trial_checks", "under_way"]

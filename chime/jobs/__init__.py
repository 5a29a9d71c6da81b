"""Jobs: Huey rings, rows are the truth. A job's argument is an id; its body claims the row, works, and may run twice.

A nudge may be lost (Huey deletes a task before it runs it); the sweep asks every kind of job which rows are due and
finds what a lost nudge left behind.
"""

from chime.jobs.model import JobKind, Lane, Pace, Work
from chime.jobs.queue import SWEEP_EVERY, Queue
from chime.jobs.runner import Runner
from chime.jobs.supervisor import Supervisor

__all__ = ["SWEEP_EVERY", "JobKind", "Lane", "Pace", "Queue", "Runner", "Supervisor", "Work"]

"""Approvals: one way for everything that needs a second person: request, approval by another, run, one fetch, end.

An approval is bound to a hash of all that would run and of who asked. Nobody agrees to their own request, the file of
the workspace refuses it too; both people are asked for again when it runs and when its file is fetched. What has ended
does not begin again, and the key of its file is gone in the same transaction.
"""

from chime.accounts import Requester
from chime.approvals.actions import (
    advance,
    approve,
    begin,
    cancel,
    end,
    expire,
    finish,
    forget_subject,
    found,
    is_whose,
    reject,
    request,
    take,
)
from chime.approvals.asking import ask
from chime.approvals.jobs import JOBS
from chime.approvals.model import Approval, Ending, Needs, State, Wanted, digest_of
from chime.approvals.queries import approval, due, of_person, of_requester
from chime.approvals.standing import StandsNoMore, must_stand, needs, others

__all__ = ["JOBS", "Approval", "Ending", "Needs", "Requester", "StandsNoMore", "State", "Wanted", "advance", "approval",
           "approve", "ask", "begin", "cancel", "digest_of", "due", "end", "expire", "finish", "forget_subject",
           "found", "is_whose", "must_stand", "needs", "of_person", "of_requester", "others", "reject", "request",
           "take"]

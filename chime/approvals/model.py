"""An approval and its states; what it is bound to. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import HOUR, MINUTE
from chime.security.crypto import context, digest

VALID = 24 * HOUR
"""For so long a request waits for its decision, and a decision for its run."""
DELAY = 24 * HOUR
"""So long a request waits where there is no second person, while the owners were told."""
FILE_KEPT = 24 * HOUR
LEASE = 2 * MINUTE
"""A run that was not heard of for so long ended with its process."""
LONGEST_REASON = 300
# Once begun there is no way back: they go to their end.
UNSTOPPABLE = frozenset({"erasure"})


class State(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    RUNNING = "running"
    READY = "ready"
    DOWNLOADED = "downloaded"
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


ENDED = frozenset({State.DOWNLOADED, State.DONE, State.REJECTED, State.CANCELLED, State.EXPIRED, State.FAILED})


class Needs(StrEnum):
    """What a request waits for: another person, a day in which the owners may stop it, or nothing."""

    PERSON = "person"
    DELAY = "delay"
    NOBODY = "nobody"


class Ending(StrEnum):
    """Why it ended, where the state does not say it."""

    REQUESTER_LOST_RIGHT = "requester_lost_right"
    APPROVER_LOST_RIGHT = "approver_lost_right"
    TOO_MANY_ROWS = "too_many_rows"
    SUBJECT_GONE = "subject_gone"
    STORAGE = "storage"
    ERASURE = "erasure"
    CHANGED = "changed"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for. `job` runs it; `parameters` say all of what would run and are never changed afterwards;
    `permission` is what the requester needs, at the run and at the fetch too; `decided_by` what whoever agrees needs.
    """

    kind: str
    job: str
    permission: str
    decided_by: str
    parameters: dict[str, Any]
    subject: str = ""
    reason: str = ""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    kind: str
    job: str
    permission: str
    decided_by: str
    parameters: dict[str, Any]
    digest: bytes
    subject: str
    person_id: str | None
    key_id: str | None
    requester_name: str
    reason: str
    needs: Needs
    state: State
    requested_at: int
    earliest_at: int
    expires_at: int
    approver_id: str | None
    approver_name: str
    approved_digest: bytes | None
    approved_at: int | None
    lease_until: int
    done: int
    total: int
    ended_at: int | None
    ending: str

    @property
    def fingerprint(self) -> str:
        """What a person compares and a decision names: the beginning of the digest."""
        return self.digest.hex()[:16]

    @property
    def percent(self) -> int:
        return min(100, self.done * 100 // self.total) if self.total else 0

    @property
    def is_whole(self) -> bool:
        """Whether what stands in the row is what was asked for and, where somebody agreed, what they agreed to."""
        expected = digest_of(self.kind, self.parameters, self.person_id, self.key_id)
        return expected == self.digest and self.approved_digest in (None, expected)


def digest_of(kind: str, parameters: dict[str, Any], person_id: str | None, key_id: str | None) -> bytes:
    """SHA-256 over everything an approval is bound to. Each part with its length: no two requests give the same."""
    frozen = msgspec.json.encode(parameters, order="deterministic").decode()
    return digest(context("approval", kind, frozen, person_id or "", key_id or ""))

"""The trust page: what Chime claims, what proves it here and now, and what it does not claim.

A claim is a sentence of ours with two proofs: a check that this very installation runs hourly, and the tests that
guard it. A check that fails turns the page red for everybody, signed in or not.
"""

from chime.trust.model import Finding, State
from chime.trust.runner import findings

__all__ = ["Finding", "State", "findings"]

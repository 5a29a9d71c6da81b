"""A trail that came from another server: what was signed there is checked with the key of there, and signed again.

From then on this installation vouches for it, so that one key checks all of it, here and in an
exported file. What the other server did not sign stays as it is, and verifying the trail says so.
"""

from __future__ import annotations

import msgspec

from chime.audit import queries
from chime.audit.trail import signing_key
from chime.security import signed_note
from chime.workspaces import Control, Transaction


class SignedAgain(msgspec.Struct, frozen=True, kw_only=True):
    """How many checkpoints were the other server's, and how many claim to be and are not."""

    good: int
    bad: int


async def sign_again(tx: Transaction, control: Control, public: bytes | None) -> SignedAgain:
    """`tx` is that of the trail's file, `public` the key of the server it comes from."""
    good = bad = 0
    seed = await signing_key(control)
    for checkpoint in await queries.checkpoints(tx):
        said = signed_note.read(checkpoint.note)
        if said is None or public is None or not signed_note.is_signed(checkpoint.note, public):
            bad += 1
            continue
        await tx.execute("UPDATE audit_checkpoint SET note = ? WHERE size = ?", signed_note.sign(seed, said),
                         checkpoint.size)
        good += 1
    return SignedAgain(good=good, bad=bad)

"""Erasure: a person is forgotten, everywhere and for good; and retention: what is old enough goes by itself.

Another person agrees first. Tombstones, as keyed hashes, are written down before anything is removed, so that a crash
is gone on from and a restore forgets again. A refusal of marketing outlives the person's data. The delivery proof still
balances: what was taken out of the journal is counted as taken out.
"""

from chime.erasure.again import forgotten_of, reapply
from chime.erasure.jobs import JOBS
from chime.erasure.model import COUNTED, Erasure, Meant

__all__ = ["COUNTED", "JOBS", "Erasure", "Meant", "forgotten_of", "reapply"]

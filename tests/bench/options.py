"""What every benchmark can be asked for."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`quick`: a few seconds, to see that it runs. `seconds`: of the parts that last, 0 for the benchmark's own.
    `fsync_ms`: added to each flush to disk, because a test machine's disk flatters."""

    quick: bool = False
    seconds: int = 0
    fsync_ms: float = 0.0

    def lasting(self, own: int) -> int:
        """Seconds for a part that lasts."""
        return 2 if self.quick else self.seconds or own

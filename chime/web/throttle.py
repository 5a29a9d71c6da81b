"""How often a secret of a person may be guessed, kept in control.db: a restart forgives nothing.

An attempt is charged as a failure before it is looked at and forgiven when it was right, so a hundred guesses at the
same moment are a hundred guesses. A refused attempt is charged nowhere and writes nothing. Names are hashed with a key,
and a name that exists is treated as one that does not.

Promise: strangers cannot lock a person out. A device that person signed in with before has an allowance of its own.
"""

from __future__ import annotations

import ipaddress
from collections import deque

import msgspec

from chime.clock import DAY, MINUTE, SECOND, Clock
from chime.db import Db
from chime.errors import TooMany
from chime.log import Log
from chime.security.crypto import mac
from chime.workspaces import Control, Transaction

FREE_FAILURES = 5
LONGEST_WAIT = 900 * SECOND
# The ceiling of NIST 800-63B: after as many failures in a row only a reset opens the account again.
MOST_IN_A_ROW = 100
_KEPT = 30 * DAY
_log = Log("sign-in")


class Window(msgspec.Struct, frozen=True):
    """At most `most` failures in `length`, then nothing for `pause`."""

    most: int
    length: int
    pause: int


WINDOWS = {
    "address": Window(20, 10 * MINUTE, 15 * MINUTE),
    "network": Window(200, 10 * MINUTE, 10 * MINUTE),
    "code": Window(20, DAY, DAY),
}
# In a row: some are free, then each costs twice the wait of the one before.
IN_A_ROW = frozenset({"account", "device", "proof"})


class Mark(msgspec.Struct, frozen=True):
    """What an attempt counts for: one of the kinds above, and whose."""

    kind: str
    name: str


class Locked(TooMany):
    """A hundred failures in a row: waiting does not help any more."""

    title = "Locked"


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    failures: int
    since: int
    failed_at: int
    blocked_until: int


_NOTHING = _Row(failures=0, since=0, failed_at=0, blocked_until=0)


def wait_after(failures: int) -> int:
    """Milliseconds to wait after so many failures in a row."""
    return 0 if failures < FREE_FAILURES else min(LONGEST_WAIT, SECOND << min(failures - FREE_FAILURES, 20))


def network_of(address: str) -> str:
    """The /24 or /48 an address is in."""
    try:
        length = 24 if ipaddress.ip_address(address).version == 4 else 48
        return str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    except ValueError:
        return ""


class Throttle:
    """Charges and forgives attempts. `key` hashes the names."""

    def __init__(self, control: Control, clock: Clock, key: bytes) -> None:
        self._control = control
        self._clock = clock
        self._key = key
        # From here on only the monotonic clock counts: turning the wall clock forward shortens no wait.
        self._epoch = clock.real_now() - clock.monotonic() * 1000
        self.unusual = Unusual()

    def _now(self) -> int:
        return int(self._epoch + self._clock.monotonic() * 1000)

    def _bucket(self, mark: Mark) -> bytes:
        return mac(self._key, f"{mark.kind}/{mark.name}".encode())

    async def begin(self, *marks: Mark) -> int:
        """Charge one attempt; how many failures in a row it would be. Raises TooMany, or Locked."""
        await self._look(self._control.db, marks)
        async with self._control.ingest("throttle") as tx:
            rows = await self._look(tx, marks)
            now = self._now()
            for mark, row in zip(marks, rows, strict=True):
                await self._charge(tx, mark, row, now)
        in_a_row = [row.failures + 1 for mark, row in zip(marks, rows, strict=True) if mark.kind in IN_A_ROW]
        return max(in_a_row, default=0)

    async def forgive(self, *marks: Mark) -> None:
        """The attempt charged last was right, or was not looked at."""
        async with self._control.ingest("throttle") as tx:
            for mark in marks:
                most = WINDOWS[mark.kind].most if mark.kind in WINDOWS else MOST_IN_A_ROW
                await tx.execute("UPDATE throttle SET failures = max(0, failures - 1), blocked_until = "
                                 "CASE WHEN failures > ? THEN blocked_until ELSE 0 END WHERE bucket = ?", most,
                                 self._bucket(mark))

    async def clear(self, *marks: Mark) -> None:
        """Nothing in a row any more: the person is in, or reset what was guessed at."""
        async with self._control.ingest("throttle") as tx:
            for mark in marks:
                await tx.execute("DELETE FROM throttle WHERE bucket = ?", self._bucket(mark))
            await tx.execute("DELETE FROM throttle WHERE failed_at < ? AND failures < ?", self._now() - _KEPT,
                             MOST_IN_A_ROW)

    async def failures(self, mark: Mark) -> int:
        """How many failures stand against a name."""
        return int(await self._control.db.value("SELECT failures FROM throttle WHERE bucket = ?",
                                                self._bucket(mark)) or 0)

    def failed(self) -> None:
        """An attempt was wrong; many more than usual are worth an operator's look."""
        if self.unusual.count(self._clock.monotonic()):
            _log.warning("sign_in.failures_unusual", in_this_minute=self.unusual.this_minute)

    async def _look(self, db: Db, marks: tuple[Mark, ...]) -> list[_Row]:
        """What stands against each. Raises TooMany or Locked for the worst of them."""
        now, wait, rows = self._now(), 0, []
        for mark in marks:
            row = await db.one(_Row, "SELECT failures, since, failed_at, blocked_until FROM throttle WHERE bucket = ?",
                               self._bucket(mark)) or _NOTHING
            if mark.kind in IN_A_ROW:
                if row.failures >= MOST_IN_A_ROW:
                    raise Locked("There were too many wrong attempts. Reset the password to go on.", retry_after=DAY)
                longest = LONGEST_WAIT
            else:
                window = WINDOWS[mark.kind]
                longest = max(window.pause, window.length)
                if row.blocked_until <= now and not 0 <= now - row.since < window.length:
                    row = _NOTHING
            # A wall clock that was ahead at the last start must not make somebody wait for days.
            wait = max(wait, min(row.blocked_until - now, longest))
            rows.append(row)
        if wait > 0:
            raise TooMany("Too many attempts.", retry_after=wait / 1000)
        return rows

    async def _charge(self, tx: Transaction, mark: Mark, row: _Row, now: int) -> None:
        failures = row.failures + 1
        if mark.kind in IN_A_ROW:
            blocked_until = now + wait_after(failures)
        else:
            window = WINDOWS[mark.kind]
            blocked_until = now + window.pause if failures >= window.most else 0
        await tx.execute("INSERT INTO throttle (bucket, kind, failures, since, failed_at, blocked_until) "
                         "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (bucket) DO UPDATE SET failures = excluded.failures, "
                         "since = excluded.since, failed_at = excluded.failed_at, "
                         "blocked_until = excluded.blocked_until", self._bucket(mark), mark.kind, failures,
                         row.since or now, now, blocked_until)


class Unusual:
    """Notices a minute with ten times as many failures as the last hour had on average."""

    def __init__(self) -> None:
        self._minutes: deque[int] = deque(maxlen=60)
        self._minute = -1
        self.this_minute = 0
        self.total = 0
        self._told_at = float("-inf")

    def count(self, monotonic: float) -> bool:
        """One more; whether it is time to tell somebody (at most once an hour)."""
        minute = int(monotonic // 60)
        if minute != self._minute:
            gap = minute - self._minute if self._minute >= 0 else 0
            self._minutes.extend([self.this_minute] + [0] * min(gap - 1, 60) if gap else [])
            self._minute, self.this_minute = minute, 0
        self.this_minute += 1
        self.total += 1
        usual = sum(self._minutes) / 60
        if self.this_minute < max(30.0, 10 * usual) or monotonic - self._told_at < 3600:
            return False
        self._told_at = monotonic
        return True

"""The one-time token that opens the wizard, and where whoever installs finds it.

256 random bits, another at each start, good for a day; kept as a hash only. It travels in the fragment of an address,
which browsers keep to themselves, and in the body of one form: never in a path, so in no log and no referrer.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from chime.clock import DAY, Clock
from chime.config import Config
from chime.ids import Ids
from chime.log import Log
from chime.security.crypto import digest, same

LASTS = DAY
PATH = "/setup"
# Beside the data, readable by its owner alone: the package's script shows it to who installs.
FILE = "first-run"
_EVERYWHERE = ("0.0.0.0", "::")
_log = Log("first_run")


class OneTimeToken:
    """What was printed, as far as it has to be known here."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._hash = digest(secret.encode())
        self._clock = clock
        self._ends_at = clock.real_now() + LASTS

    @property
    def is_over(self) -> bool:
        """A day after the start; the next start makes another."""
        return self._clock.real_now() >= self._ends_at

    def is_it(self, given: str) -> bool:
        """Whether this is the token, and it is still good."""
        # Both are looked at, so that the time taken tells nothing.
        return same(self._hash, digest(given.strip().encode())) and not self.is_over


def announce(config: Config, ids: Ids, clock: Clock, port: int) -> OneTimeToken:
    """Make a token; say the address with it once on standard output, and write it where only the owner of the data
    folder reads it."""
    secret = ids.token(32)
    address = f"{_base(config, port)}{PATH}#{secret}"
    _write(config.data_dir / FILE, address)
    print(f"Chime waits to be set up. Open this address within 24 hours; it is the only key to it:\n  {address}",
          flush=True)
    return OneTimeToken(secret, clock)


def forget_announcement(data_dir: Path) -> None:
    """It is set up: the address leads nowhere any more."""
    with suppress(OSError):
        (data_dir / FILE).unlink(missing_ok=True)


def _base(config: Config, port: int) -> str:
    if config.public_url:
        return config.public_url
    host = socket.gethostname() if config.bind_host in _EVERYWHERE else config.bind_host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _write(path: Path, address: str) -> None:
    """Whole or not at all, and a fresh file: what was under that name may have been readable by others."""
    partial = path.with_name(f"{path.name}.new")
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{address}\n")
        partial.replace(path)
    except OSError:
        _log.warning("first_run.not_written")  # it stands on standard output all the same

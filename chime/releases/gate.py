"""Whether the release that was just started serves: it answers, it is the right one, and it stays so for a while."""

from __future__ import annotations

import http.client
import re
import time
from contextlib import suppress

import msgspec

from chime.config import Config
from chime.errors import StartRefused
from chime.releases import state
from chime.releases.shelf import Shelf

READY_IN = 120.0
WATCHED_FOR = 10.0
_LOOK_EVERY, _ANSWER_IN = 0.2, 5.0
# So many looks in a row without a good answer are no accident any more.
_BAD_LOOKS = 3
# More failed jobs than this, and more than succeeded, are no accident either.
_FAILED_JOBS = 20
_VERSION = re.compile(r'^chime_info\{version="([^"]+)"\}', re.MULTILINE)
_COUNT = r"^chime_jobs_{}_total\{{[^}}]*\}} (\d+)"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `version` is empty where /metrics is not for us."""

    ready: bool
    word: str = ""
    version: str = ""
    failed: int = 0
    finished: int = 0


class Gate:
    """Asks the service at the address it is configured to listen on, or at `address`."""

    def __init__(self, shelf: Shelf, config: Config, address: str | None) -> None:
        self._shelf = shelf
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.bind_host, config.bind_host)
        self._host, self._port = host, config.bind_port
        if address is not None:
            name, _, port = address.rpartition(":")
            if not name or not port.isdecimal():
                raise StartRefused(f"--address: {address!r} is not HOST:PORT")
            self._host, self._port = name.strip("[]"), int(port)
        self._token = config.metrics_token

    def look(self) -> Look:
        """Once; never raises."""
        try:
            status, body = self._get("/readyz")
            waits = status == 503 and b"waiting for set-up" in body
            if status != 200 and not waits:
                return Look(ready=False, word=f"/readyz answers {status}")
            status, body = self._get("/metrics")
        except (OSError, http.client.HTTPException) as error:
            return Look(ready=False, word=f"it does not answer ({type(error).__name__})")
        text = body.decode("utf-8", "replace") if status == 200 else ""
        version = _VERSION.search(text)
        failed, finished = (sum(map(int, re.findall(_COUNT.format(name), text, re.MULTILINE)))
                            for name in ("failed", "finished"))
        return Look(ready=True, version=version[1] if version else "", failed=failed, finished=finished)

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_ANSWER_IN)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"} if self._token else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            with suppress(OSError):
                connection.close()

    def pass_through(self, version: str, *, ready_in: float = READY_IN, watched_for: float = WATCHED_FOR) -> None:
        """Returns when that version serves and has for a while. Raises StartRefused saying why not."""
        begun = time.monotonic()
        while not (seen := self.look()).ready or seen.version not in ("", version):
            self._must_have_started_once()
            if time.monotonic() - begun > ready_in:
                raise StartRefused(seen.word or f"version {seen.version} answers instead of {version}")
            time.sleep(_LOOK_EVERY)
        begun, bad = time.monotonic(), 0
        while time.monotonic() - begun < watched_for or bad:
            time.sleep(_LOOK_EVERY)
            seen = self.look()
            self._must_have_started_once()
            bad = 0 if seen.ready else bad + 1
            if bad >= _BAD_LOOKS:
                raise StartRefused(f"it was ready and is no more: {seen.word}")
            if seen.failed > max(_FAILED_JOBS, seen.finished):
                raise StartRefused(f"{seen.failed} jobs failed and {seen.finished} succeeded")

    def _must_have_started_once(self) -> None:
        if len(state.starts(self._shelf)) > 1:
            raise StartRefused("it ended by itself after it was started")

"""Nobody learns from a log what customers write, who they are, or what opens a door: not even at debug level."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chime import log
from tests.support.canaries import day
from tests.support.world import running_world

# What must have been logged for the absence of the rest to mean anything.
EXPECTED = ("event.rejected", "MessageReceived", "read_receipt.not_sent")


class Keeper(logging.Handler):
    """Every record as its maker left it, before the formatter's second net."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        trouble = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.said.append(f"{record.name} {record.getMessage()} {vars(record).get('fields')} {trouble}")


@contextmanager
def listening(form: str) -> Iterator[Keeper]:
    """The logging of `chime serve` at debug level, and a second ear."""
    known = {name: logging.getLogger(name) for name in ("", *logging.root.manager.loggerDict)}
    before = {name: (logger.level, logger.handlers[:]) for name, logger in known.items()}
    log.configure(form, "debug")
    found = Keeper()
    logging.getLogger().addHandler(found)
    try:
        yield found
    finally:
        for name, (level, handlers) in before.items():
            known[name].setLevel(level)
            known[name].handlers[:] = handlers


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_day_full_of_secrets_leaves_none_in_the_log(
    form: str, installation: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str],
) -> None:
    with listening(form) as keeper:
        async with running_world(installation, tmp_path / "data") as world:
            secrets = await day(world)
    written, said = "".join(capfd.readouterr()), "\n".join(keeper.said)
    for event in EXPECTED:
        assert event in written and event in said, f"nothing was logged of {event}"
    told = {what: line for what, secret in secrets.items() for line in (written + said).splitlines()
            if secret in line or secret.replace(" ", "") in line}
    assert not told

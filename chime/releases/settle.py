"""What becomes of an upgrade whose process died: at each start of the service, and before anything new is begun.

A release on trial has a few starts. When it used them up shortly after each other, the one before becomes current
again; when it has run for a while since, it has passed. So a machine that loses its power in the middle of an upgrade
comes up with one release or the other, and nobody has to be there.
"""

from __future__ import annotations

import msgspec

from chime.clock import MINUTE
from chime.log import Log
from chime.releases import state
from chime.releases.shelf import Shelf, UnderWay
from chime.releases.state import Outcome, Step, Upgrade

MOST_STARTS = 3
# Whoever was started and not again for so long was no failure.
LONG_ENOUGH = 10 * MINUTE
_log = Log("releases")


def settle_at_start(shelf: Shelf, now: int) -> None:
    """Before the service is started; quick. `current` is to be read after it. Raises StartRefused."""
    if state.under_way(shelf) is None:
        return
    try:
        # Whoever begins an upgrade now waits until this is settled, or its own state would be taken for what was left.
        with shelf.alone():
            _settle(shelf, now)
    except UnderWay:
        upgrade = state.under_way(shelf)
        if upgrade is not None and upgrade.step is Step.TRYING:
            state.note_start(shelf, now)


def _settle(shelf: Shelf, now: int) -> None:
    """Of somebody who is not there any more."""
    upgrade = state.under_way(shelf)
    if upgrade is None:
        return
    if upgrade.step is not Step.TRYING:
        undo(shelf, upgrade, "it was interrupted")
        return
    starts = state.starts(shelf)
    if starts and now - starts[-1] > LONG_ENOUGH:
        _done(shelf, upgrade)
    elif len(starts) >= MOST_STARTS:
        undo(shelf, upgrade, f"it did not stay up in {MOST_STARTS} starts")
    else:
        state.note_start(shelf, now)


def undo(shelf: Shelf, upgrade: Upgrade, reason: str) -> Upgrade:
    """The release before is current, if it was not all the time; nothing is restarted. Raises StartRefused."""
    touched = upgrade.step in (Step.TRYING, Step.RETURNING)
    if touched:
        state.write(shelf, msgspec.structs.replace(upgrade, step=Step.RETURNING))
        if upgrade.came_from:
            shelf.switch(upgrade.came_from)
    outcome = Outcome.RETURNED if touched else Outcome.ABANDONED
    over = msgspec.structs.replace(upgrade, reason=reason, outcome=outcome)
    _log.warning("release.not_taken", release=upgrade.goes_to, outcome=outcome.value)
    _end(shelf, over)
    return over


def _done(shelf: Shelf, upgrade: Upgrade) -> None:
    _log.info("release.taken", release=upgrade.goes_to)
    _end(shelf, msgspec.structs.replace(upgrade, outcome=Outcome.DONE))


def _end(shelf: Shelf, upgrade: Upgrade) -> None:
    state.finish(shelf, upgrade)
    state.forget_starts(shelf)

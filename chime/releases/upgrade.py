"""The way from one release to another, and back: each step is written down before it is taken.

Until TRYING nothing has changed for anybody: the new release lies beside the old one, which serves; what was migrated
was only added to. Then one rename and one restart, and the new one has to prove itself; if it can't, the same rename
and restart lead back, and what came in meanwhile stays.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from chime.clock import Clock
from chime.errors import StartRefused
from chime.releases import state
from chime.releases.candidate import Candidate, examined, trusted_keys
from chime.releases.children import Children
from chime.releases.gate import Gate
from chime.releases.release import Release
from chime.releases.restarting import Service
from chime.releases.settle import undo
from chime.releases.shelf import Shelf
from chime.releases.state import Outcome, Step, Upgrade

# An hour for the copy and the migrations of a large installation; the others are minutes.
_LONG, _SHORT = 3600.0, 600.0
# Seconds that a service which starts at this moment may take to settle what an interrupted upgrade left.
_SETTLING = 3.0
# What a laid out release takes, in times of its file: compiled as it is.
_UNPACKED = 6


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever upgrades asked for."""

    from_package: bool = False
    allow_downgrade: bool = False
    no_way_back: bool = False
    without_backup: bool = False
    watched_for: float = 10.0
    ready_in: float = 120.0


class Upgrading:
    """With everything it needs. `tell` gets a line for each step."""

    def __init__(self, shelf: Shelf, service: Service, children: Children, gate: Gate,
                 tell: Callable[[str], None], keys_folder: Path | None = None) -> None:
        self._shelf = shelf
        self._service = service
        self._children = children
        self._gate = gate
        self._tell = tell
        self._keys = trusted_keys() if keys_folder is None else trusted_keys(keys_folder)
        self._clock = Clock()

    def upgrade(self, file: Path, wishes: Wishes) -> Upgrade:
        """Have the release in `file` take over. Raises StartRefused: what ran before runs then."""
        with self._shelf.alone(patience=_SETTLING):
            self._settle(wishes)
            with examined(file, self._shelf, self._keys, from_package=wishes.from_package) as candidate:
                before = self._may_follow(candidate.release, wishes)
                self._tell(f"{file.name} is Chime {candidate.release.version}, signed by {candidate.signed_by}.")
                begun = time.monotonic()
                upgrade = Upgrade(step=Step.LAYING_OUT, came_from=before, goes_to=candidate.release.name,
                                  began_at=self._clock.real_now())
                with self._undone_if_it_fails(upgrade):
                    upgrade = self._prepare(upgrade, candidate, wishes)
            return self._take(upgrade, wishes, begun)

    def roll_back(self, wishes: Wishes) -> Upgrade:
        """Back to the release before, with all that was written since. Raises StartRefused: what ran before runs."""
        with self._shelf.alone(patience=_SETTLING):
            self._settle(wishes)
            goes_to = self._before()
            begun = time.monotonic()
            upgrade = Upgrade(step=Step.REHEARSING, came_from=self._shelf.current, goes_to=goes_to, returns=True,
                              began_at=self._clock.real_now())
            self._tell(f"Going back to {goes_to}.")
            with self._undone_if_it_fails(upgrade):
                state.write(self._shelf, upgrade)
                # It must know every file that this one has written.
                here, there = (self._children.ask(name, "migrate", "--check", seconds=_LONG, statuses=(0, 1))
                               for name in (upgrade.came_from, goes_to))
                lost = sorted(set(there["failed"]) - set(here["failed"]))
                if lost:
                    raise StartRefused(f"{goes_to} cannot work with {', '.join(lost[:3])} any more: restore the "
                                       "backup made before the upgrade instead")
                upgrade = msgspec.structs.replace(upgrade, workspaces=len(there["files"]) // 2)
            return self._take(upgrade, wishes, begun)

    def _settle(self, wishes: Wishes) -> None:
        """Finish what somebody else began and could not."""
        left = state.under_way(self._shelf)
        if left is None:
            return
        self._tell(f"An upgrade to {left.goes_to} was interrupted while {left.step}.")
        # Without a start since the switch what serves is still the old one.
        if left.step is Step.TRYING and self._shelf.current == left.goes_to and state.starts(self._shelf):
            with suppress(StartRefused):
                self._gate.pass_through(self._shelf.release(left.goes_to).version, ready_in=wishes.ready_in,
                                        watched_for=0)
                state.finish(self._shelf, msgspec.structs.replace(left, outcome=Outcome.DONE))
                state.forget_starts(self._shelf)
                self._tell(f"{left.goes_to} serves, so it stays.")
                return
        over = undo(self._shelf, left, "it was interrupted")
        if over.outcome is Outcome.RETURNED:
            self._service.restart()
        self._tell(f"{over.came_from or 'Nothing'} is what runs.")

    def _may_follow(self, release: Release, wishes: Wishes) -> str:
        """The name of the release it comes after; empty for the first. Raises StartRefused."""
        release.must_run_here()
        before = self._shelf.current
        if before == release.name:
            raise StartRefused(f"{release.name} is what runs already")
        if before and release.is_older_than(self._shelf.release(before)) and not wishes.allow_downgrade:
            raise StartRefused(f"{release.name} is older than {before}, which runs; `chime rollback` goes back to the "
                               "one before, --allow-downgrade takes this one")
        return before

    def _prepare(self, upgrade: Upgrade, candidate: Candidate, wishes: Wishes) -> Upgrade:
        """Everything that can be done while the old one serves. Raises StartRefused."""
        state.write(self._shelf, upgrade)
        size = candidate.archive.stat().st_size * _UNPACKED
        if shutil.disk_usage(self._shelf.root).free < size:
            raise StartRefused(f"{self._shelf.root} has no room for another release ({size // 2**20} MB)")
        told: dict[str, Any] = {"workspaces": 0, "failing": []}
        if upgrade.came_from:
            told = self._children.ask(upgrade.came_from, "release", "ready", "--room-for", str(size), seconds=_SHORT)
        self._tell(f"Laying out {upgrade.goes_to}.")
        name = self._shelf.lay_out(candidate.archive)
        if name != upgrade.goes_to:
            raise StartRefused(f"it laid itself out as {name} and calls itself {upgrade.goes_to}")
        if not upgrade.came_from:
            return upgrade
        if not wishes.without_backup:
            upgrade = self._next(upgrade, Step.BACKING_UP, "Backing up.")
            self._children.ask(upgrade.came_from, "release", "back-up", seconds=_LONG)
        upgrade = self._next(upgrade, Step.REHEARSING, "Trying it on copies.")
        rehearsed = self._children.ask(upgrade.goes_to, "release", "rehearse", seconds=_SHORT)
        breaks = sorted(set(rehearsed["breaking"]))
        if breaks and not wishes.no_way_back:
            raise StartRefused(f"{upgrade.goes_to} changes {', '.join(breaks)} so that {upgrade.came_from} cannot work "
                               "with them any more; --no-way-back takes it all the same")
        if breaks:
            # What runs would stumble over its own files: they are migrated when the new one starts.
            return msgspec.structs.replace(upgrade, workspaces=told["workspaces"])
        upgrade = self._next(upgrade, Step.MIGRATING, "Migrating.")
        migrated = self._children.ask(upgrade.goes_to, "migrate", seconds=_LONG, statuses=(0, 1))
        failed = sorted(set(migrated["failed"]) - set(told["failing"]))
        if failed:
            raise StartRefused(f"{', '.join(failed[:3])} could not be migrated; the log says why")
        return msgspec.structs.replace(upgrade, workspaces=told["workspaces"], failures=len(migrated["failed"]))

    def _next(self, upgrade: Upgrade, step: Step, word: str) -> Upgrade:
        self._tell(word)
        upgrade = msgspec.structs.replace(upgrade, step=step)
        state.write(self._shelf, upgrade)
        return upgrade

    def _take(self, upgrade: Upgrade, wishes: Wishes, begun: float) -> Upgrade:
        """Switch, restart, and see. Raises StartRefused when it went back."""
        state.forget_starts(self._shelf)
        upgrade = self._next(upgrade, Step.TRYING, f"Switching to {upgrade.goes_to}.")
        try:
            runs = self._service.runs
            self._shelf.switch(upgrade.goes_to)
            self._service.restart()
            if runs:
                self._gate.pass_through(self._shelf.release(upgrade.goes_to).version, ready_in=wishes.ready_in,
                                        watched_for=wishes.watched_for)
        except (StartRefused, OSError) as error:
            raise self._gone_back(upgrade, str(error), wishes) from error
        over = msgspec.structs.replace(upgrade, outcome=Outcome.DONE, seconds=round(time.monotonic() - begun, 1))
        state.finish(self._shelf, over)
        state.forget_starts(self._shelf)
        self._note(over)
        self._shelf.prune(over.goes_to, over.came_from)
        return over

    def _gone_back(self, upgrade: Upgrade, reason: str, wishes: Wishes) -> StartRefused:
        if not upgrade.came_from:
            over = msgspec.structs.replace(upgrade, outcome=Outcome.ABANDONED, reason=reason)
            state.finish(self._shelf, over)
            return StartRefused(f"{upgrade.goes_to} does not serve: {reason}")
        self._tell(f"{upgrade.goes_to} does not serve: {reason}. Going back to {upgrade.came_from}.")
        over = undo(self._shelf, upgrade, reason)
        told = f"{upgrade.goes_to} was not taken: {reason}"
        try:
            self._service.restart()
            if self._service.runs:
                self._gate.pass_through(self._shelf.release(over.came_from).version, ready_in=wishes.ready_in,
                                        watched_for=0)
        except StartRefused as error:
            return StartRefused(f"{told}; and {over.came_from} does not serve either: {error}")
        self._note(over)
        return StartRefused(f"{told}. {over.came_from} serves again, with all that came in")

    def _note(self, over: Upgrade) -> None:
        """What ran before is no worse for an audit row that could not be written; it stands in last-upgrade.json."""
        if not over.came_from:
            return
        outcome = "done" if over.outcome is Outcome.DONE and not over.returns else "reverted"
        before, after = (over.goes_to, over.came_from) if over.returns else (over.came_from, over.goes_to)
        try:
            self._children.ask(self._shelf.current, "release", "note", "--from", before, "--to", after, "--outcome",
                               outcome, "--reason", over.reason or "asked for", seconds=_SHORT)
        except StartRefused as error:
            self._tell(f"It could not be written into the audit trail: {error}")

    def _before(self) -> str:
        """The release to go back to. Raises StartRefused."""
        current, last = self._shelf.current, state.last(self._shelf)
        if last is not None and last.outcome is Outcome.DONE and last.goes_to == current and not last.returns:
            name = last.came_from
        else:
            found = [self._shelf.release(name) for name in self._shelf.names()] if current else []
            older = [release for release in found if release.is_older_than(self._shelf.release(current))]
            name = max(older, key=Release.age).name if older else ""
        if not name or name not in self._shelf.names():
            raise StartRefused("there is no release before this one to go back to")
        return name

    @contextmanager
    def _undone_if_it_fails(self, upgrade: Upgrade) -> Iterator[None]:
        """Whatever goes wrong before TRYING, only the state has to say that it is over."""
        try:
            yield
        except Exception as error:
            left = state.under_way(self._shelf) or upgrade
            undo(self._shelf, left, str(error) if isinstance(error, StartRefused) else type(error).__name__)
            if isinstance(error, StartRefused):
                what = f"nothing was changed, {left.came_from} runs" if left.came_from else "nothing was set up"
                raise StartRefused(f"{error} ({what})") from error
            raise

"""An upgrade that is killed before any of its steps: whoever comes next finds one whole release and no half state.

The steps are the real ones, on a real shelf; what they ask of other processes is answered here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chime.clock import MINUTE
from chime.errors import StartRefused
from chime.releases import shelf as shelves
from chime.releases import state, upgrade
from chime.releases.gate import Gate
from chime.releases.settle import MOST_STARTS, settle_at_start
from chime.releases.shelf import Shelf
from chime.releases.state import Outcome, Step, Upgrade
from chime.releases.upgrade import Upgrading, Wishes
from tests.unit.releases.release_files import Signer, archive, lay_out

OLD, NEW = "1.0-b1", "1.1-b1"


class Killed(BaseException):
    """SIGKILL, as far as Python code can be killed by itself: no handler of ours catches it."""


class Machine:
    """A server with the old release running. `runs` is what serves; it dies before the step numbered `dies_before`."""

    def __init__(self, folder: Path) -> None:
        (folder / "root").mkdir()
        self.shelf = Shelf(folder / "root")
        lay_out(self.shelf, "1.0")
        self.shelf.switch(OLD)
        self.signer = Signer()
        self.file = archive(folder / "chime.pyz", "1.1")
        self.signer.sign(self.file)
        self.serves = OLD
        self.bad: set[str] = set()
        self.asked: list[tuple[str, ...]] = []
        self.steps = 0
        self.dies_before: int | None = None
        self.said: list[str] = []
        self.breaking: list[str] = []
        self.fails_to_migrate: list[str] = []

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_before:
            raise Killed

    # What the upgrade sees as its service, its gate and its children.
    runs = True

    def restart(self) -> None:
        self.step()
        self.start(1_000)

    def start(self, now: int) -> None:
        """As the service's start does it."""
        settle_at_start(self.shelf, now)
        self.serves = self.shelf.current

    def pass_through(self, version: str, **_: float) -> None:
        self.step()
        if self.serves in self.bad or not self.serves.startswith(f"{version}-"):
            raise StartRefused("it does not answer")

    def ask(self, name: str, *arguments: str, **_: object) -> dict[str, Any]:
        self.step()
        self.asked.append((name, *arguments))
        return {"workspaces": 2, "failing": [], "breaking": self.breaking, "files": {"a": 0, "b": 0},
                "failed": self.fails_to_migrate if name == NEW else []}

    def upgrading(self) -> Upgrading:
        made: Any = Upgrading(self.shelf, self, self, self, self.said.append)  # type: ignore[arg-type]
        made._keys = self.signer.keys
        return made  # type: ignore[no-any-return]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return _machine(tmp_path, monkeypatch)


def _machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One on which each change of the shelf counts as a step."""
    made = Machine(folder)

    def lays_out(shelf: Shelf, file: Path) -> str:
        made.step()
        return lay_out(shelf, "1.1")

    monkeypatch.setattr(Shelf, "lay_out", lays_out)
    for module, name in ((state, "write"), (state, "finish"), (state, "forget_starts")):
        monkeypatch.setattr(module, name, _stepping(made, getattr(module, name)))
    monkeypatch.setattr(shelves.Shelf, "switch", _stepping(made, shelves.Shelf.switch))
    monkeypatch.setattr(shelves.Shelf, "prune", _stepping(made, shelves.Shelf.prune))
    return made


def _stepping(machine: Machine, real: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(*arguments: Any) -> Any:
        machine.step()
        return real(*arguments)

    return stepping


def test_a_good_release_takes_over(machine: Machine) -> None:
    done = machine.upgrading().upgrade(machine.file, Wishes())
    assert (done.outcome, done.came_from, done.goes_to, done.workspaces) == (Outcome.DONE, OLD, NEW, 2)
    assert machine.serves == machine.shelf.current == NEW
    assert state.under_way(machine.shelf) is None and state.last(machine.shelf) == done
    assert [words[1:3] for words in machine.asked] == [
        ("release", "ready"), ("release", "back-up"), ("release", "rehearse"), ("migrate",), ("release", "note")]
    assert [words[0] for words in machine.asked] == [OLD, OLD, NEW, NEW, NEW]


def test_one_that_does_not_serve_goes_back_by_itself(machine: Machine) -> None:
    machine.bad.add(NEW)
    with pytest.raises(StartRefused, match=rf"{NEW} was not taken: it does not answer\. {OLD} serves again"):
        machine.upgrading().upgrade(machine.file, Wishes())
    assert machine.serves == machine.shelf.current == OLD
    last = state.last(machine.shelf)
    assert last is not None and last.outcome is Outcome.RETURNED and last.reason == "it does not answer"
    assert machine.asked[-1][:3] == (OLD, "release", "note")


def test_when_neither_serves_it_says_so(machine: Machine) -> None:
    machine.bad |= {NEW, OLD}
    with pytest.raises(StartRefused, match=f"{OLD} does not serve either"):
        machine.upgrading().upgrade(machine.file, Wishes())
    assert machine.shelf.current == OLD


def _after_the_kill(machine: Machine, *, bad: bool, restarted: bool) -> None:
    """The next start of the service and the next upgrade, whatever the dead one left."""
    machine.dies_before = None
    assert machine.shelf.current in (OLD, NEW), "one whole release at every moment"
    if restarted:
        for number in range(MOST_STARTS + 2):  # a crash loop when it is bad
            machine.start(10_000 + number)
            if machine.serves not in machine.bad:
                break
        assert machine.serves not in machine.bad, "the release before serves, and nobody had to be there"
    try:
        machine.upgrading().upgrade(machine.file, Wishes())
    except StartRefused as error:
        assert bad or "is what runs already" in str(error), error
    assert machine.serves == machine.shelf.current == (OLD if bad else NEW)
    assert state.under_way(machine.shelf) is None
    assert not [path.name for path in machine.shelf.root.iterdir() if path.name.startswith(".incoming")]


@pytest.mark.parametrize("restarted", [True, False], ids=["the service starts anew", "it goes on"])
@pytest.mark.parametrize("bad", [False, True], ids=["good release", "bad release"])
def test_killed_before_each_step_of_an_upgrade(tmp_path: Path, bad: bool, restarted: bool,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    number, reached = 1, True
    while reached:
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patched:
            made = _machine(folder, patched)
            made.bad = {NEW} if bad else set()
            made.dies_before = number
            try:
                made.upgrading().upgrade(made.file, Wishes())
                reached = False
            except StartRefused:
                reached = False
            except Killed:
                _after_the_kill(made, bad=bad, restarted=restarted)
        number += 1
    assert number > 14, f"only {number} steps were tried"


def test_killed_before_each_step_of_a_rollback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number, reached = 1, True
    while reached:
        folder = tmp_path / str(number)
        folder.mkdir()
        with monkeypatch.context() as patched:
            made = _machine(folder, patched)
            made.upgrading().upgrade(made.file, Wishes())
            made.steps, made.dies_before = 0, number
            try:
                made.upgrading().roll_back(Wishes())
                reached = False
            except Killed:
                made.dies_before = None
                assert made.shelf.current in (OLD, NEW)
                made.start(10_000)
                assert made.serves == made.shelf.current
                if made.shelf.current == NEW:
                    made.upgrading().roll_back(Wishes())
            assert made.serves == made.shelf.current == OLD
        number += 1
    assert number > 8, f"only {number} steps were tried"


def test_there_is_one_step_back(machine: Machine) -> None:
    with pytest.raises(StartRefused, match="no release before"):
        machine.upgrading().roll_back(Wishes())
    machine.upgrading().upgrade(machine.file, Wishes())
    assert machine.upgrading().roll_back(Wishes()).returns
    assert machine.serves == OLD
    with pytest.raises(StartRefused, match="no release before"):
        machine.upgrading().roll_back(Wishes())


def test_a_way_back_that_cannot_read_the_files_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.upgrading().upgrade(machine.file, Wishes())
    real = machine.ask
    monkeypatch.setattr(machine, "ask", lambda name, *words, **more: real(name, *words) | (
        {"failed": ["acme/workspace.db"]} if name == OLD else {}))
    with pytest.raises(StartRefused, match=r"1\.0-b1 cannot work with acme/workspace\.db any more"):
        machine.upgrading().roll_back(Wishes())
    assert machine.serves == machine.shelf.current == NEW and state.under_way(machine.shelf) is None


def test_breaking_files_want_a_word_more(machine: Machine) -> None:
    machine.breaking = ["workspace files"]
    with pytest.raises(StartRefused, match="--no-way-back takes it all the same"):
        machine.upgrading().upgrade(machine.file, Wishes())
    assert machine.serves == OLD
    assert machine.upgrading().upgrade(machine.file, Wishes(no_way_back=True)).outcome is Outcome.DONE
    assert (NEW, "migrate") not in machine.asked, "not under the feet of the old one"


def test_a_file_that_cannot_be_migrated_stops_it_unless_it_was_bad_before(machine: Machine) -> None:
    machine.fails_to_migrate = ["acme/workspace.db"]
    with pytest.raises(StartRefused, match=r"acme/workspace\.db could not be migrated.*nothing was changed"):
        machine.upgrading().upgrade(machine.file, Wishes())
    assert machine.serves == OLD and state.under_way(machine.shelf) is None


def test_an_older_release_and_the_same_are_refused(machine: Machine) -> None:
    archive(machine.file, "0.9")
    machine.signer.sign(machine.file)
    with pytest.raises(StartRefused, match=r"0\.9-b1 is older than 1\.0-b1"):
        machine.upgrading().upgrade(machine.file, Wishes())
    archive(machine.file, "1.0")
    machine.signer.sign(machine.file)
    with pytest.raises(StartRefused, match="is what runs already"):
        machine.upgrading().upgrade(machine.file, Wishes())


def test_two_at_once_are_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "_SETTLING", 0.1)
    with machine.shelf.alone(), pytest.raises(StartRefused, match="another upgrade is under way"):
        machine.upgrading().upgrade(machine.file, Wishes())


def test_an_upgrade_waits_for_a_service_that_settles_what_was_left(machine: Machine) -> None:
    """Both would finish the same one otherwise, and the slower the one that has begun since."""
    with ThreadPoolExecutor(1) as threads:
        with machine.shelf.alone():
            upgraded = threads.submit(machine.upgrading().upgrade, machine.file, Wishes())
            time.sleep(0.2)
            assert not upgraded.done() and state.under_way(machine.shelf) is None
        assert upgraded.result(timeout=30).outcome is Outcome.DONE


def test_a_start_beside_an_upgrade_settles_nothing(machine: Machine) -> None:
    lay_out(machine.shelf, "1.1")
    for step in Step:
        left = Upgrade(step=step, came_from=OLD, goes_to=NEW, began_at=0)
        state.write(machine.shelf, left)
        with machine.shelf.alone():
            settle_at_start(machine.shelf, 1_000)
        assert state.under_way(machine.shelf) == left and machine.shelf.current == OLD
        assert len(state.starts(machine.shelf)) == (step is Step.TRYING)
        state.forget_starts(machine.shelf)


def test_a_release_on_trial_that_ran_long_enough_has_passed(machine: Machine) -> None:
    """Whoever upgraded died and nobody came since: a restart weeks later is no failure."""
    lay_out(machine.shelf, "1.1")
    machine.shelf.switch(NEW)
    state.write(machine.shelf, Upgrade(step=Step.TRYING, came_from=OLD, goes_to=NEW, began_at=0))
    for now in (0, 1_000, 30 * MINUTE, 60 * MINUTE, 61 * MINUTE):
        machine.start(now)
    assert machine.serves == NEW and state.under_way(machine.shelf) is None


def test_only_this_release_and_the_one_before_stay(machine: Machine) -> None:
    for version in ("0.7", "0.8"):
        lay_out(machine.shelf, version)
    machine.upgrading().upgrade(machine.file, Wishes())
    assert machine.shelf.names() == [OLD, NEW]


def test_a_gate_wants_an_address(machine: Machine) -> None:
    from chime.config import load

    with pytest.raises(StartRefused, match="--address"):
        Gate(machine.shelf, load(environment={}), "nowhere")
    assert not Gate(machine.shelf, load(environment={}), "127.0.0.1:9").look().ready
    assert upgrade.Wishes().ready_in == 120

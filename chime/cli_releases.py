"""`chime upgrade`, `chime rollback` and what belongs to them on the command line. What they do is in `releases`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chime.config import Config
from chime.errors import StartRefused

if TYPE_CHECKING:
    from chime.releases import Upgrade
    from chime.releases.upgrade import Upgrading, Wishes

Say = Callable[[argparse.Namespace, object, str], None]
Add = Callable[..., argparse.ArgumentParser]


def add_commands(commands: Any, add: Add, say: Say) -> None:
    """Add them. `add` makes a command, `say` answers in words or in JSON."""
    def upgrade(options: argparse.Namespace, config: Config) -> int:
        say(options, *_told(_upgrading(options, config).upgrade(Path(options.file), _wishes(options))))
        return 0

    def rollback(options: argparse.Namespace, config: Config) -> int:
        say(options, *_told(_upgrading(options, config).roll_back(_wishes(options))))
        return 0

    def settle(options: argparse.Namespace, config: Config) -> int:
        from chime.clock import Clock
        from chime.releases.settle import settle_at_start

        settle_at_start(_shelf(options), Clock().real_now())
        return 0

    def keep(options: argparse.Namespace, config: Config) -> int:
        from chime.releases.keeper import Keeper
        from chime.serve import listen

        sock = listen(config)
        sock.listen(2048)
        asyncio.run(Keeper(_shelf(options), config, sock, _given(options)).run())
        return 0

    take = add(commands, "upgrade", upgrade, "install a newer release; goes back by itself when it does not serve")
    take.add_argument("file", metavar="FILE", help="chime.pyz or the .deb, with its .sig beside it")
    take.add_argument("--from-package", action="store_true", help=argparse.SUPPRESS)
    take.add_argument("--allow-downgrade", action="store_true", help="take a release that is older than the one here")
    take.add_argument("--no-way-back", action="store_true",
                      help="take a release whose files the one here cannot work with any more")
    take.add_argument("--without-backup", action="store_true", help="do not back up before")
    back = add(commands, "rollback", rollback, "go back to the release before, with all that was written since")
    held = add(commands, "keep", keep, "run the current release where there is no systemd, and restart it on SIGHUP")
    held.add_argument("--bind", metavar="HOST:PORT")
    start = add(commands, "settle", settle, "finish or undo an upgrade that was interrupted; runs at each start")
    for command in (take, back):
        command.add_argument("--restart-with", metavar="COMMAND", help="restarts the service (default: systemctl)")
        command.add_argument("--address", metavar="HOST:PORT", help="where the service answers (default: CHIME_BIND)")
        command.add_argument("--watch", metavar="SECONDS", type=float, default=10.0,
                             help="how long it has to serve until it counts as good (default: 10)")
        command.add_argument("--ready-in", metavar="SECONDS", type=float, default=120.0,
                             help="how long it may take to start (default: 120)")
    for command in (take, back, held, start):
        command.add_argument("--root", metavar="DIR", help="where releases are laid out (default: /usr/lib/chime)")
    _add_steps(commands, add, say)


def _add_steps(commands: Any, add: Add, say: Say) -> None:
    """What `chime upgrade` runs as the service's user."""
    def ready(options: argparse.Namespace, config: Config) -> int:
        from chime.releases import rehearsal

        found = asyncio.run(rehearsal.ready(config, room_for=options.room_for))
        say(options, found, f"{found.workspaces} workspaces, {found.free // 2**20} MB free.")
        return 0

    def back_up(options: argparse.Namespace, config: Config) -> int:
        from chime.releases import rehearsal

        asyncio.run(rehearsal.back_up(config))
        say(options, {"backed_up": True}, "Everything committed until now is in the backup.")
        return 0

    def rehearse(options: argparse.Namespace, config: Config) -> int:
        from chime.releases import rehearsal

        found = asyncio.run(rehearsal.rehearse(config))
        say(options, found, f"It works with copies of control.db and {found.workspaces} workspaces.")
        return 0

    def note(options: argparse.Namespace, config: Config) -> int:
        from chime.releases import rehearsal

        asyncio.run(rehearsal.note(config, came_from=options.came_from, goes_to=options.goes_to,
                                   outcome=options.outcome, reason=options.reason))
        say(options, {"noted": True}, "Written into the audit trail of the installation.")
        return 0

    steps = commands.add_parser("release", help="the steps of an upgrade, one by one").add_subparsers(
        required=True, metavar="STEP")
    add(steps, "ready", ready, "whether an upgrade may begin").add_argument(
        "--room-for", type=int, default=0, metavar="BYTES", help="what else has to find room")
    add(steps, "back-up", back_up, "have everything in the backup")
    add(steps, "rehearse", rehearse, "try this release on copies of the data")
    written = add(steps, "note", note, "write an upgrade into the audit trail")
    for name, into in (("--from", "came_from"), ("--to", "goes_to"), ("--outcome", "outcome"), ("--reason", "reason")):
        written.add_argument(name, dest=into, required=True)


def _shelf(options: argparse.Namespace) -> Any:
    from chime.releases import ROOT, Shelf

    return Shelf(Path(options.root) if options.root else ROOT)


def _given(options: argparse.Namespace) -> list[str]:
    """The options that say which installation is meant."""
    return [part for name in ("data", "config") if (value := getattr(options, name))
            for part in (f"--{name}", str(Path(value).absolute()))]


def _wishes(options: argparse.Namespace) -> Wishes:
    from chime.releases.upgrade import Wishes

    if not 0 <= options.watch <= 3600 or not 1 <= options.ready_in <= 3600:
        raise StartRefused("--watch and --ready-in: at most an hour, in seconds")
    asked = {name: getattr(options, name) for name in ("from_package", "allow_downgrade", "no_way_back",
                                                       "without_backup") if hasattr(options, name)}
    return Wishes(watched_for=options.watch, ready_in=options.ready_in, **asked)


def _upgrading(options: argparse.Namespace, config: Config) -> Upgrading:
    from chime.releases.children import Children
    from chime.releases.gate import Gate
    from chime.releases.restarting import find_service
    from chime.releases.upgrade import Upgrading

    shelf = _shelf(options)
    service = find_service(shelf, options.restart_with, config.data_dir)
    return Upgrading(shelf, service, Children(shelf, config, _given(options)), Gate(shelf, config, options.address),
                     lambda line: print(line, file=sys.stderr, flush=True))


def _told(done: Upgrade) -> tuple[object, str]:
    if not done.came_from:
        return done, f"Chime {done.goes_to} is laid out and current."
    how = "went back" if done.returns else "upgraded"
    return done, (f"{how} {done.came_from} -> {done.goes_to} in {done.seconds:.0f} s, {done.workspaces} workspaces, "
                  f"{done.failures} failures")

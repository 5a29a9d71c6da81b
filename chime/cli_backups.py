"""`chime backup …` on the command line: options and answers. What the verbs do is in `backup_commands`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chime.config import Config

Say = Callable[[argparse.Namespace, object, str], None]


def add_commands(commands: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the group. `add` makes a command, `say` answers in words or in JSON."""
    verbs = commands.add_parser("backup", help="backups and restores").add_subparsers(required=True, metavar="VERB")
    _add_looking(verbs, add, say)
    _add_restoring(verbs, add, say)
    _add_box(verbs, add, say)


def _tell(options: argparse.Namespace) -> Callable[[str], None]:
    return lambda text: print(text, file=sys.stderr if options.json else sys.stdout, flush=True)


def _add_looking(verbs: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    def now(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import back_up

        done = asyncio.run(back_up(config))
        say(options, {"ok": done}, "Everything until now is backed up." if done else
            "The appliance did not finish in time; look at `chime backup list`.")
        return 0 if done else 1

    def show(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import listed
        from chime.clock import rfc3339

        items = [{"workspace_id": one.workspace_id, "from": rfc3339(one.first), "to": rfc3339(one.last),
                  "verified_at": rfc3339(one.verified_at) if one.verified_at else None, "bytes": one.bytes,
                  "files_gone": one.files_gone}
                 for one in listed(config)]
        say(options, {"items": items}, "\n".join(
            f"{one['workspace_id']:32} {one['from']} … {one['to']}  {one['bytes']:>12} bytes  "
            f"{'good at ' + str(one['verified_at']) if one['verified_at'] else 'not tried yet'}{_gone(one)}"
            for one in items) or "none")
        return 0

    def verify(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import verified

        return _say_checked(options, asyncio.run(verified(config, options.workspace)), say)

    def drill(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import drilled

        return _say_checked(options, asyncio.run(drilled(config)), say)

    add(verbs, "now", now, "have everything until now on the shelf")
    add(verbs, "list", show, "show from when until when each workspace can be restored")
    add(verbs, "verify", verify, "lay the newest state and look whether it is whole").add_argument(
        "--workspace", metavar="NAME")
    add(verbs, "drill", drill, "restore everything into scratch, check it, and measure the time")


def _gone(item: dict[str, Any]) -> str:
    return f"  {item['files_gone']} stored files are gone, here and in the data folder" if item["files_gone"] else ""


def _say_checked(options: argparse.Namespace, found: list[Any], say: Say) -> int:
    from chime.clock import rfc3339

    ok = all(one.ok for one in found)
    items = [{"workspace_id": one.workspace_id, "ok": one.ok, "reason": one.reason,
              "as_of": rfc3339(one.as_of) if one.as_of else None, "seconds": round(one.seconds, 3), "bytes": one.bytes,
              "files_gone": one.files_gone} for one in found]
    say(options, {"ok": ok, "items": items}, "\n".join(
        f"{one['workspace_id']:32} {'good' if one['ok'] else 'NOT GOOD: ' + one['reason']}  {one['seconds']} s"
        f"{_gone(one)}" for one in items) or "nothing to check")
    return 0 if ok else 1


def _add_restoring(verbs: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    def restore(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import restored_copy
        from chime.clock import rfc3339

        found = asyncio.run(restored_copy(config, options.workspace, at=options.at, name=options.name))
        say(options, {"workspace_id": found.id, "name": found.name, "as_of": rfc3339(found.as_of), "state": "muted"},
            f"{found.name} ({found.id}) is a muted copy as of {rfc3339(found.as_of)}. Look at it under Settings, "
            f"Backups.\n`chime backup take-over` lets it take the workspace's place; `chime backup discard` throws it "
            "away.")
        return 0

    def take_over(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import taken_over

        row = asyncio.run(taken_over(config, options.copy, name=options.yes_replace))
        held = sum(row.found.get(name, 0) for name in ("held", "scheduled", "written_again"))
        say(options, {"restore_id": row.id, "workspace_id": row.workspace_id, "replaced": row.copy_id, **row.found},
            f"{options.yes_replace} is what it was then. {held} messages wait for somebody's word; the replaced state "
            "stays as a copy for 7 days.")
        return 0

    def discard(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import thrown_away

        found = asyncio.run(thrown_away(config, options.copy))
        say(options, {"workspace_id": found.id}, f"{found.name} is thrown away.")
        return 0

    def settle(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import settled

        done = asyncio.run(settled(config))
        say(options, {"ok": done}, "Nothing is under way." if done else "It waits; somebody still works there.")
        return 0 if done else 1

    add(verbs, "settle", settle, "go on with a restore that was interrupted, when no appliance runs")
    new = add(verbs, "restore", restore, "open a workspace's state of a moment as a muted copy")
    new.add_argument("--workspace", metavar="NAME", required=True)
    new.add_argument("--at", metavar="TIME", required=True,
                     help="2026-11-21T14:32 in the workspace's time zone, or with a zone: 2026-11-21T14:32:00Z")
    new.add_argument("--as", dest="name", metavar="NAME", help="what the copy is called")
    over = add(verbs, "take-over", take_over, "let a copy take its workspace's place")
    over.add_argument("copy", metavar="COPY", help="its id or name")
    over.add_argument("--yes-replace", metavar="NAME", required=True, help="the workspace's name, in full")
    add(verbs, "discard", discard, "throw a copy away").add_argument("copy", metavar="COPY")


def _add_box(verbs: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    def box(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import box_restored
        from chime.clock import rfc3339

        found = asyncio.run(box_restored(config, Path(options.source), Path(options.master_key_file), _tell(options),
                                         at=options.at))
        good = all(not one.trouble for one in found)
        say(options, {"ok": good, "items": [
            {"workspace_id": one.workspace_id, "name": one.name, "held": one.held, "trouble": one.trouble,
             "as_of": rfc3339(one.as_of) if one.as_of else None} for one in found]},
            "Everything is suspended: nobody gets in, nothing is sent. Switch the old machine off, start Chime here, "
            "and say `chime backup go-live`." + (
                " Who was forgotten or refused marketing after that moment is as before it: see to them first."
                if options.at else ""))
        return 0 if good else 1

    def live(options: argparse.Namespace, config: Config) -> int:
        from chime.backup_commands import gone_live

        found = asyncio.run(gone_live(config, options.workspace))
        say(options, {"workspace_ids": found}, f"{len(found)} workspaces work again; what waited to be sent is on hold "
            "until somebody releases it.")
        return 0

    whole = add(verbs, "restore-box", box, "a whole installation on a new machine, from its backups")
    whole.add_argument("--from", dest="source", metavar="DIR", required=True, help="the folder of backups")
    whole.add_argument("--master-key-file", metavar="FILE", required=True,
                       help="a file with the master key, as on the recovery sheet")
    whole.add_argument("--at", metavar="TIME", help="as it was then, like 2026-11-21T14:32:00Z; else as it was last")
    add(verbs, "go-live", live, "let what restore-box put back work again").add_argument("--workspace", metavar="NAME")

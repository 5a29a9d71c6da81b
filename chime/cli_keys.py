"""`chime keys …` and `chime api-key …` on the command line: options and answers. What they do is in `key_commands` and
`setup`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chime.config import Config

Say = Callable[[argparse.Namespace, object, str], None]
# As `chime.workspaces.keys.Purpose`, which would take a while to load for every other command.
PURPOSES = ("field", "file", "media")


def add_key_commands(commands: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the group. `add` makes a command, `say` answers in words or in JSON."""
    def show(options: argparse.Namespace, config: Config) -> int:
        from chime import key_commands

        found = asyncio.run(key_commands.status(config))
        say(options, key_commands.as_json(found), key_commands.as_text(found))
        return 0

    def rotate(options: argparse.Namespace, config: Config) -> int:
        from chime import key_commands

        def tell(text: str) -> None:
            print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

        if options.workspace:
            purposes = PURPOSES if options.purpose == "all" else (options.purpose,)
            work = key_commands.rotate_workspace(config, options.workspace, purposes, tell)
        else:
            work = key_commands.rotate_installation(config, tell, master=options.master)
        found = asyncio.run(work)
        say(options, key_commands.as_json(found), key_commands.as_text(found))
        return 0

    def sheet(options: argparse.Namespace, config: Config) -> int:
        from chime.setup import recovery_sheet, write_secretly

        if options.output == "-":
            print(recovery_sheet(config), end="")
            return 0
        write_secretly(Path(options.output), recovery_sheet(config))
        say(options, {"file": options.output},
            f"The recovery sheet is in {options.output}: print it, lock it away, delete the file.")
        return 0

    verbs = commands.add_parser("keys", help="encryption keys").add_subparsers(required=True, metavar="VERB")
    add(verbs, "sheet", sheet, "write the recovery sheet: the master key and the steps of a restore").add_argument(
        "--output", metavar="FILE", required=True, help="a file that is not there yet; - for standard output")
    add(verbs, "status", show, "show which keys there are and what is being replaced")
    new = add(verbs, "rotate", rotate, "replace keys, beside the running appliance or without it")
    what = new.add_mutually_exclusive_group(required=True)
    what.add_argument("--master", action="store_true", help="another master key, and the installation's own keys")
    what.add_argument("--installation", action="store_true", help="the installation's own keys only")
    what.add_argument("--workspace", metavar="NAME", help="a workspace's keys")
    new.add_argument("--purpose", choices=(*PURPOSES, "all"), default="all",
                     help="of a workspace: credentials (field), database files (file), stored media, or all")


def add_api_key_commands(commands: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the group."""
    def create(options: argparse.Namespace, config: Config) -> int:
        from chime.setup import new_api_key

        made = asyncio.run(new_api_key(config, options.workspace, options.name, options.scopes, days=options.days,
                                       addresses=options.address, limits=options.limits))
        say(options, made, f"{made.key}\nThis is the only time the key is shown.")
        return 0

    def show(options: argparse.Namespace, config: Config) -> int:
        from chime.setup import list_api_keys

        found = asyncio.run(list_api_keys(config, options.workspace))
        say(options, {"items": [_key_as_json(key) for key in found]},
            "\n".join(f"{key.id}  {key.shown:20} {_state(key):8} {key.name}  {key.scopes}" for key in found) or "none")
        return 0

    def revoke(options: argparse.Namespace, config: Config) -> int:
        from chime.setup import revoke_api_key

        found = asyncio.run(revoke_api_key(config, options.workspace, options.key))
        say(options, {"revoked": found.id}, f"{found.shown} ({found.name}) opens nothing any more.")
        return 0

    verbs = commands.add_parser("api-key", help="keys for scripts").add_subparsers(required=True, metavar="VERB")
    new = add(verbs, "create", create, "make a key; it is shown once")
    for name in ("--workspace", "--name", "--scopes"):
        new.add_argument(name, required=True)
    new.add_argument("--days", type=int, default=365, help="how long it lasts, 730 at most")
    new.add_argument("--address", action="append", default=[], metavar="NETWORK",
                     help="an address or network it may be used from; may be given again (default: any)")
    new.add_argument("--limits", type=_three, metavar="S,T,M", help="calls in 1, 10 and 60 seconds (default: 3,20,100)")
    add(verbs, "list", show, "show the keys").add_argument("--workspace", required=True)
    gone = add(verbs, "revoke", revoke, "end a key")
    gone.add_argument("--workspace", required=True)
    gone.add_argument("--key", required=True, metavar="ID", help="its id, its public part, or its name")


def _three(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _state(key: Any) -> str:
    from chime.clock import Clock

    if key.revoked_at is not None:
        return "revoked"
    return "ended" if key.expires_at is not None and key.expires_at < Clock().real_now() else "works"


def _key_as_json(key: Any) -> dict[str, Any]:
    from chime.clock import rfc3339

    moments = {name: rfc3339(at) if (at := getattr(key, name)) is not None else None
               for name in ("created_at", "expires_at", "revoked_at", "used_at")}
    return {"id": key.id, "name": key.name, "shown": key.shown, "scopes": key.scope_list, "state": _state(key),
            "addresses": list(key.addresses or ()), **moments}

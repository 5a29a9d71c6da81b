"""`chime user invite` and `remove` on the command line: options and answers. What they do is in `member_commands`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

from chime.config import Config

Say = Callable[[argparse.Namespace, object, str], None]


def add_member_verbs(verbs: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the verbs to the group `user`. `add` makes a command, `say` answers in words or in JSON."""
    def invite(options: argparse.Namespace, config: Config) -> int:
        from chime import member_commands

        made = asyncio.run(member_commands.invite(config, options.workspace, email=options.email, role=options.role,
                                                  teams=options.team))
        words = ("The invitation is on its way by mail." if made.mailed else
                 f"Hand this link over, to {options.email} and nobody else:\n  {made.link}")
        say(options, made, f"{words}\nIt is good until {made.expires_at}, once.")
        return 0

    def remove(options: argparse.Namespace, config: Config) -> int:
        from chime import member_commands

        user_id = asyncio.run(member_commands.remove(config, options.workspace, options.email))
        say(options, {"removed": user_id}, f"{options.email} is out of the workspace.")
        return 0

    new = add(verbs, "invite", invite, "invite somebody into a workspace")
    for name in ("--workspace", "--email", "--role"):
        new.add_argument(name, required=True)
    new.add_argument("--team", action="append", default=[], metavar="NAME", help="a team; may be given again")
    gone = add(verbs, "remove", remove, "take somebody out of a workspace, at once")
    for name in ("--workspace", "--email"):
        gone.add_argument(name, required=True)

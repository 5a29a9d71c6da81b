"""`chime user list`, `reset-password` and `reset-2fa` on the command line. What they do is in `user_commands`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

from chime.config import Config

Say = Callable[[argparse.Namespace, object, str], None]


def add_user_verbs(verbs: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the verbs to the group `user`. `add` makes a command, `say` answers in words or in JSON."""
    def list_users(options: argparse.Namespace, config: Config) -> int:
        from chime import user_commands

        found = asyncio.run(user_commands.list_users(config))
        say(options, {"items": found}, "\n".join(
            f"{user.email:36} {user.name:24} {'2FA' if user.second_factor else '-':4} "
            f"{'operator ' if user.is_operator else ''}{'disabled ' if user.disabled else ''}"
            f"{', '.join(user.workspaces)}".rstrip() for user in found) or "none")
        return 0

    def reset_password(options: argparse.Namespace, config: Config) -> int:
        from chime import user_commands

        made = asyncio.run(user_commands.reset_password(config, options.email))
        say(options, made, f"Hand this link over, to {options.email} and nobody else:\n  {made.link}\n"
                           f"It is good until {made.expires_at}, once. A second factor is asked for as before.")
        return 0

    def reset_second_factor(options: argparse.Namespace, config: Config) -> int:
        from chime import user_commands

        user_id = asyncio.run(user_commands.reset_second_factor(config, options.email))
        say(options, {"user_id": user_id}, f"The second factor of {options.email} is gone, and their sessions ended.")
        return 0

    add(verbs, "list", list_users, "show the accounts")
    for name, command, text in (("reset-password", reset_password, "make a link with which somebody sets a password"),
                                ("reset-2fa", reset_second_factor, "take somebody's second factors away, at once")):
        add(verbs, name, command, text).add_argument("--email", required=True)

"""`chime user break-glass` on the command line. What it does is in `sign_in_commands`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

from chime.config import Config

Say = Callable[[argparse.Namespace, object, str], None]


def add_sign_in_verbs(verbs: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the verb to the group `user`. `add` makes a command, `say` answers in words or in JSON."""
    def break_glass(options: argparse.Namespace, config: Config) -> int:
        from chime import sign_in_commands

        on = not options.off
        user_id = asyncio.run(sign_in_commands.break_glass(config, options.email, on=on))
        say(options, {"user_id": user_id, "break_glass": on},
            f"{options.email} may {'' if on else 'not '}sign in with a password when the provider is the only way in"
            f"{'' if on else ' any more'}.")
        return 0

    glass = add(verbs, "break-glass", break_glass, "let somebody in by password when all others use the provider")
    glass.add_argument("--email", required=True)
    glass.add_argument("--off", action="store_true", help="take it away again")

"""`chime audit …` on the command line: options and answers; what they do is in `chime.audit_commands`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

from chime.config import Config

Say = Callable[[argparse.Namespace, object, str], None]


def add_commands(commands: Any, add: Callable[..., argparse.ArgumentParser], say: Say) -> None:
    """Add the group. `add` makes a command, `say` answers in words or in JSON."""
    def verify(options: argparse.Namespace, config: Config) -> int:
        from chime import audit_commands

        told = (audit_commands.verify_file(options.file, key=options.key, anchors=options.anchor) if options.file
                else asyncio.run(audit_commands.verify(config, workspace=options.workspace, anchors=options.anchor)))
        say(options, told, audit_commands.as_text(told))
        return 0 if told["ok"] else 1

    def export(options: argparse.Namespace, config: Config) -> int:
        from chime import audit_commands

        told = asyncio.run(audit_commands.export_to(config, workspace=options.workspace, target=options.out))
        if options.out:
            say(options, told, f"{told['lines']} lines are in {options.out}.")
        return 0

    def verifier(options: argparse.Namespace, config: Config) -> int:
        from chime import audit_commands

        if options.file:
            audit_commands.write_verifier(options.file)
            say(options, {"file": options.file}, f"Run it with: python3 {options.file} EXPORT.jsonl --key KEY")
        else:
            print(audit_commands.verifier_source(), end="")
        return 0

    def accept(options: argparse.Namespace, config: Config) -> int:
        from chime import audit_commands

        told = asyncio.run(audit_commands.accept(config, workspace=options.workspace, reason=options.reason))
        say(options, told, f"Signed as it is now: {told['size']} rows.")
        return 0

    verbs = commands.add_parser("audit", help="the audit trail").add_subparsers(required=True, metavar="VERB")
    check = add(verbs, "verify", verify, "examine the audit trails, or an exported file on any machine")
    check.add_argument("file", nargs="?", help="an exported file; no installation is needed for it")
    check.add_argument("--key", default="", metavar="KEY", help="of a file: the public key it must be signed with")
    check.add_argument("--anchor", action="append", default=[], metavar="FILE",
                       help="checkpoints that were kept elsewhere")
    take = add(verbs, "export", export, "write a trail as JSON lines that prove themselves")
    take.add_argument("--out", metavar="FILE", help="a new file (default: standard output)")
    go_on = add(verbs, "accept", accept, "go on signing a trail that was put back to an older state")
    go_on.add_argument("--reason", required=True, help="why it is not the trail that was signed; it is written down")
    for command in (check, take, go_on):
        command.add_argument("--workspace", metavar="NAME", help="whose trail (default: the installation's"
                             + (" and all)" if command is check else ")"))
    write = add(verbs, "verifier", verifier, "hand out the stand-alone program that checks an exported file")
    write.add_argument("file", nargs="?", help="where to put it (default: standard output)")

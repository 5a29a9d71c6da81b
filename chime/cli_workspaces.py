"""`chime workspace …` on the command line. What the verbs do is in `setup` and `workspace_commands`.

Beside making, suspending and erasing: taking one along as a file, and switching over to another server."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chime.config import Config
from chime.errors import StartRefused

Say = Callable[[argparse.Namespace, object, str], None]
Add = Callable[..., argparse.ArgumentParser]
_ERASED = ("{name} is erased: its keys are deleted, so nothing of it can be read here any more.\nCopies of the keys "
           "are in your backups of control.db; when the last of those is gone it can't be read anywhere.")
_STEPS = """Next:
  1. chime workspace export --workspace "{name}" --to FILE    on this server: the file holds everything up to now
  2. chime workspace import --from FILE                       on the new server, with the same passphrase
  3. chime workspace go-live "{name}"                         there; it says which address to paste at Meta
  4. chime workspace erase "{name}" --yes-erase "{name}"      here, when it works there
On any other server than {to} it goes live only by the word of whoever is at the shell there.
Until Meta has the new address, what customers write waits at Meta, for days if need be. Changed your mind:
  chime workspace take-back "{name}" --yes-it-works-nowhere-else "{name}\""""


def add_commands(commands: Any, add: Add, say: Say) -> None:
    """Add the group. `add` makes a command, `say` answers in words or in JSON."""
    verbs = commands.add_parser("workspace", help="workspaces").add_subparsers(required=True, metavar="VERB")
    _add_making(verbs, add, say)
    _add_moving(verbs, add, say)

    def suspend(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import suspend_workspace

        found = asyncio.run(suspend_workspace(config, options.workspace))
        say(options, {"workspace_id": found.id, "state": "suspended"},
            f"{found.name} is suspended: nobody gets in, nothing is sent; what Meta delivers is kept for later.")
        return 0

    def resume(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import resume_workspace

        found = asyncio.run(resume_workspace(config, options.workspace))
        say(options, {"workspace_id": found.id, "state": "active"}, f"{found.name} works again.")
        return 0

    def erase(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import erase_workspace

        found = asyncio.run(erase_workspace(config, options.workspace, name=options.yes_erase))
        say(options, {"workspace_id": found.id, "state": "erased"}, _ERASED.format(name=found.name))
        return 0

    for name, command, text in (("suspend", suspend, "let nobody in and send nothing, until it is resumed"),
                                ("resume", resume, "undo a suspension")):
        add(verbs, name, command, text).add_argument("workspace", metavar="NAME")
    gone = add(verbs, "erase", erase, "delete a workspace's keys and files; it can't be undone")
    gone.add_argument("workspace", metavar="NAME")
    gone.add_argument("--yes-erase", metavar="NAME", required=True, help="the workspace's name once more")


def _add_making(verbs: Any, add: Add, say: Say) -> None:
    def create(options: argparse.Namespace, config: Config) -> int:
        from chime.setup import new_workspace

        made = asyncio.run(new_workspace(config, options.name))
        say(options, {"workspace_id": made.id}, f"Workspace {made.name} ({made.id}) is ready.")
        return 0

    def show(options: argparse.Namespace, config: Config) -> int:
        from chime.setup import opened

        async def rows() -> list[Any]:
            async with opened(config) as (control, _):
                return await control.workspaces()

        found = asyncio.run(rows())
        say(options, {"items": found}, "\n".join(f"{row.id}  {row.state:9} {row.name}" for row in found) or "none")
        return 0

    add(verbs, "create", create, "make a workspace").add_argument("--name", "--workspace", required=True)
    add(verbs, "list", show, "show the workspaces")


def _passphrase(path: str | None, *, ask: bool) -> str | None:
    """From a file, or typed by a person; None when neither is there."""
    if path is None:
        return (getpass.getpass("Passphrase: ") or None) if ask and sys.stdin.isatty() else None
    try:
        text = Path(path).read_text("utf-8").strip("\r\n")
    except (OSError, ValueError) as error:
        raise StartRefused(f"--passphrase-file: {path} cannot be read") from error
    if not text:
        raise StartRefused(f"--passphrase-file: {path} is empty")
    return text


def _told(options: argparse.Namespace) -> Callable[[int, int], None]:
    """How far it is, on a terminal, where it disturbs nobody."""
    said = -1

    def tell(done: int, total: int) -> None:
        nonlocal said
        percent = min(100, done * 100 // total) if total else 100
        if percent != said and not options.json and sys.stderr.isatty():
            said = percent
            print(f"\r{percent} %", end="\n" if percent == 100 else "", file=sys.stderr, flush=True)

    return tell


def _export(say: Say) -> Callable[[argparse.Namespace, Config], int]:
    def export(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import export_workspace

        made, passphrase = asyncio.run(export_workspace(
            config, options.workspace, Path(options.to), _passphrase(options.passphrase_file, ask=False),
            _told(options)))
        answer: dict[str, Any] = {name: getattr(made, name) for name in made.__struct_fields__}
        lines = [f"{made.file}: {made.size} bytes, SHA-256 {made.sha256}."]
        lines.append("It holds everything: the workspace was handed over before." if made.is_final else
                     "The workspace goes on working here. To move it, run `chime workspace hand-over` first.")
        if passphrase is not None:
            answer["passphrase"] = passphrase
            lines.append(f"Passphrase: {passphrase}\nIt is shown once. Keep it apart from the file: whoever has both "
                         "can read everything.")
        say(options, answer, "\n".join(lines))
        return 0

    return export


def _import(say: Say) -> Callable[[argparse.Namespace, Config], int]:
    def take_in(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import import_workspace

        passphrase = _passphrase(options.passphrase_file, ask=True)
        if passphrase is None:
            raise StartRefused("--passphrase-file: name a file with the passphrase")
        made = asyncio.run(import_workspace(config, Path(options.source), passphrase, options.name))
        lines = [f"{made.name} is here and waits: it sends nothing and answers nobody.",
                 f"To have it work here: chime workspace go-live \"{made.name}\""]
        if not made.is_final:
            lines.append("It was not handed over to this server (`chime workspace hand-over --to CODE` there), so it "
                         "goes live only when you say that no other server works with it: --old-server-is-stopped.")
        if made.held:
            lines.append(f"{made.held} messages wait for somebody's word, because the other server may have sent them.")
        if made.new_accounts:
            lines.append("New here, to get in by a reset link (`chime user reset-password EMAIL`, or \"Forgotten "
                         "password\" on the sign-in page): " + ", ".join(made.new_accounts))
        if not made.audit_ok:
            lines.append("Its audit trail is not what the other server had signed; `chime audit verify` says more.")
        say(options, made, "\n".join(lines))
        return 0

    return take_in


def _hand_over(say: Say) -> Callable[[argparse.Namespace, Config], int]:
    def hand_over(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import hand_over_workspace

        found = asyncio.run(hand_over_workspace(config, options.workspace, to=options.to))
        lines = [f"{found.name} is handed over: nobody gets in, nothing is sent, and webhooks for it are refused here "
                 "so that Meta keeps them."]
        if found.shared_with:
            lines.append(f"The same Meta app serves {', '.join(found.shared_with)}, which stay here. Give the moved "
                         "WhatsApp Business Account an address of its own at Meta (override_callback_uri of its "
                         "subscribed app) instead of changing the app's.")
        say(options, found, "\n".join([*lines, _STEPS.format(name=found.name, to=options.to)]))
        return 0

    return hand_over


def _server_code(say: Say) -> Callable[[argparse.Namespace, Config], int]:
    def server_code(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import code_of_server

        found = asyncio.run(code_of_server(config))
        say(options, {"server_code": found}, found)
        return 0

    return server_code


def _take_back(say: Say) -> Callable[[argparse.Namespace, Config], int]:
    def take_back(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import take_back_workspace

        found = asyncio.run(take_back_workspace(config, options.workspace, name=options.yes))
        say(options, {"workspace_id": found.id, "state": "active"}, f"{found.name} works here again.\n"
            "Destroy every file that was exported since it was handed over: the server it was handed over to can still "
            "go live with one, and cannot ask here whether it may.")
        return 0

    return take_back


def _go_live(say: Say) -> Callable[[argparse.Namespace, Config], int]:
    def go_live(options: argparse.Namespace, config: Config) -> int:
        from chime.workspace_commands import go_live_with

        found = asyncio.run(go_live_with(config, options.workspace, old_is_stopped=options.old_server_is_stopped))
        lines = [f"{found.name} works here now, with {len(found.numbers)} number(s): {', '.join(found.numbers)}."]
        for one in found.webhooks:
            lines.append(f"In Meta's dashboard of the app {one['app_id']}, WhatsApp > Configuration, enter\n"
                         f"  callback URL  {one['webhook_url']}\n  verify token  {one['verify_token']}")
        lines.append("API keys did not come along; make new ones for scripts. `chime keys rotate --workspace` gives it "
                     "keys that the old server never had.")
        say(options, found, "\n".join(lines))
        return 0

    return go_live


def _add_moving(verbs: Any, add: Add, say: Say) -> None:
    out = add(verbs, "export", _export(say), "the whole workspace as one encrypted file")
    out.add_argument("--workspace", required=True, metavar="NAME")
    out.add_argument("--to", required=True, metavar="FILE", help="where to write it; not there yet")
    out.add_argument("--passphrase-file", metavar="F", help="the passphrase; without one it is made up and shown once")
    into = add(verbs, "import", _import(say), "take in such a file; the workspace waits until it goes live")
    into.add_argument("--from", dest="source", required=True, metavar="FILE")
    into.add_argument("--as", dest="name", metavar="NAME", help="another name than it had")
    into.add_argument("--passphrase-file", metavar="F", help="the passphrase; asked for on a terminal without")
    over = add(verbs, "hand-over", _hand_over(say), "stop it here, because another server takes it over")
    over.add_argument("workspace", metavar="NAME")
    over.add_argument("--to", required=True, metavar="CODE", help="what `chime workspace server-code` says on that "
                      "server; only there it can go live without anybody's word")
    add(verbs, "server-code", _server_code(say), "the code of this server, to have a workspace handed over to it")
    back = add(verbs, "take-back", _take_back(say), "undo a hand-over")
    back.add_argument("workspace", metavar="NAME")
    back.add_argument("--yes-it-works-nowhere-else", dest="yes", required=True, metavar="NAME",
                      help="the workspace's name once more")
    live = add(verbs, "go-live", _go_live(say), "have an imported workspace work here")
    live.add_argument("workspace", metavar="NAME")
    live.add_argument("--old-server-is-stopped", action="store_true",
                      help="for a file that was not handed over to this server: no other server works with it any more")

"""The command line: one thin function per command. Exit status 0 done, 1 refused or failed (one line), 2 usage."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chime import __version__
from chime.config import Config, load
from chime.errors import ChimeError, StartRefused

Command = Callable[[argparse.Namespace, Config], int]


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    try:
        config = load(data=options.data, bind=getattr(options, "bind", None), file=options.config)
        from chime import log

        log.configure(config.log_format, config.log_level)
        command: Command = options.command
        return command(options, config)
    except ChimeError as error:
        print(f"chime: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


def _say(options: argparse.Namespace, data: object, text: str) -> None:
    """JSON for scripts, words for people."""
    print(msgspec.json.encode(data).decode() if options.json else text, flush=True)


def _secret(path: str | None, name: str) -> str | None:
    if path is None:
        return None
    try:
        text = Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise StartRefused(f"--{name}: {path} cannot be read") from error
    if not text:
        raise StartRefused(f"--{name}: {path} is empty")
    return text


def version(options: argparse.Namespace, config: Config) -> int:
    _say(options, {"version": __version__}, f"chime {__version__}")
    return 0


def show_config(options: argparse.Namespace, config: Config) -> int:
    rows = [{"name": setting.option.environment, "source": setting.source, "help": setting.option.help,
             "value": ("set" if setting.value else "unset") if setting.option.secret else setting.value,
             "default": "" if setting.option.secret else setting.option.default} for setting in config.settings]
    _say(options, rows, "\n".join(f"{row['name']:24} {row['value'] or '-':40} {row['source']:18} {row['help']}"
                                  for row in rows))
    return 0


def serve(options: argparse.Namespace, config: Config) -> int:
    from chime.serve import prepare, start
    from chime.workspaces import KeyRing, find_master_key

    keys = KeyRing(find_master_key(config.data_dir, config.master_key))
    prepare(config, keys)
    start(config, keys)
    return 0


def demo(options: argparse.Namespace, config: Config) -> int:
    from chime.demo import run as run_demo

    named = any(setting.option.name == "data_dir" and setting.source != "default" for setting in config.settings)
    run_demo(config, throw_away=not named, any_port=options.bind is None)
    return 0


def init(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import initialise

    made = asyncio.run(initialise(config, email=options.email, name=options.name, workspace=options.workspace,
                                  password=_secret(options.password_file, "password-file")))
    answer: dict[str, Any] = {"workspace_id": made.workspace_id, "user_id": made.user_id}
    lines = [f"Workspace {options.workspace} is ready; {options.email} owns it."]
    if made.key_path is not None:
        answer["master_key_file"] = str(made.key_path)
        lines.append(f"The master key is in {made.key_path}. Copy it to a safe place: without it nothing can be read.")
    if made.password is not None:
        answer["password"] = made.password
        lines.append(f"Password: {made.password}")
    _say(options, answer, "\n".join(lines))
    return 0


def workspace_create(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import new_workspace

    made = asyncio.run(new_workspace(config, options.name))
    _say(options, {"workspace_id": made.id}, f"Workspace {made.name} ({made.id}) is ready.")
    return 0


def workspace_list(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import opened

    async def rows() -> list[Any]:
        async with opened(config) as (control, _):
            return await control.workspaces()

    found = asyncio.run(rows())
    _say(options, {"items": found}, "\n".join(f"{row.id}  {row.state:8} {row.name}" for row in found) or "none")
    return 0


def channel_add(options: argparse.Namespace, config: Config) -> int:
    from chime.channels import NewChannel
    from chime.setup import connect

    token = _secret(options.access_token_file, "access-token-file") or ""
    new = NewChannel(
        phone_number_id=options.phone_number_id, waba_id=options.waba_id, display_phone=options.display_phone,
        app_id=options.app_id, access_token=token, app_secret=_secret(options.app_secret_file, "app-secret-file"),
        verify_token=_secret(options.verify_token_file, "verify-token-file"))
    made = asyncio.run(connect(config, options.workspace, new))
    _say(options, made, f"The number is connected ({made.channel_id}). In Meta's app dashboard, WhatsApp > "
                        f"Configuration, enter\n  callback URL  {made.webhook_url}\n  verify token  "
                        f"{made.verify_token}\nand subscribe to the field `messages` and the others you need.")
    return 0


def channel_list(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import list_channels

    found = asyncio.run(list_channels(config, options.workspace))
    _say(options, {"items": found}, "\n".join(
        f"{row.id}  {row.display_phone:20} {row.state:10} {row.verified_name} {row.trouble}".rstrip()
        for row in found) or "none")
    return 0


def channel_check(options: argparse.Namespace, config: Config) -> int:
    from chime.channel_check import examine_channels

    checks = asyncio.run(examine_channels(config, options.workspace, options.channel))
    return _report(options, checks)


def channel_remove(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import disconnect

    asyncio.run(disconnect(config, options.workspace, options.channel))
    _say(options, {"removed": options.channel}, "The number is disconnected; its conversations stay readable.")
    return 0


def api_key_create(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import new_api_key

    made = asyncio.run(new_api_key(config, options.workspace, options.name, options.scopes))
    _say(options, made, f"{made.key}\nThis is the only time the key is shown.")
    return 0


def migrate(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import opened
    from chime.workspaces import migrate_all

    async def work() -> dict[str, int]:
        async with opened(config) as (control, _):
            return await migrate_all(config.data_dir, control, check_only=options.check)

    found = asyncio.run(work())
    failed = sorted(name for name, steps in found.items() if steps < 0)
    waiting = sum(steps for steps in found.values() if steps > 0)
    words = f"{waiting} steps missing" if options.check else f"{waiting} steps applied"
    _say(options, {"files": found, "failed": failed}, f"{len(found)} files looked at, {words}.")
    if failed:
        raise StartRefused(f"could not be brought up to date: {', '.join(failed)}")
    return 1 if options.check and waiting else 0


def doctor(options: argparse.Namespace, config: Config) -> int:
    from chime.doctor import examine

    return _report(options, asyncio.run(examine(config)))


def prove_inbox(options: argparse.Namespace, config: Config) -> int:
    from chime import prove_inbox as proving

    proof = asyncio.run(proving.prove(config, proving.Wishes(
        since=options.since, workspace=options.workspace, full=options.full, replay=options.replay,
        scratch=Path(options.scratch) if options.scratch else None)))
    _say(options, proving.as_json(proof), proving.as_text(proof))
    return 0 if proof.ok else 1


def _report(options: argparse.Namespace, checks: list[Any]) -> int:
    ok = all(check.ok for check in checks)
    lines = [f"{'ok ' if check.ok else 'BAD'}  {check.name}: {check.detail}"
             + (f"\n     {check.what_to_do}" if check.what_to_do else "") for check in checks]
    _say(options, {"ok": ok, "checks": checks}, "\n".join(lines))
    return 0 if ok else 1


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", metavar="DIR", help="the data folder (default: $CHIME_DATA_DIR or ./chime-data)")
    shared.add_argument("--config", metavar="FILE", help="a configuration file (default: /etc/chime/chime.toml)")
    shared.add_argument("--json", action="store_true", help="answer in JSON")
    parser = argparse.ArgumentParser(prog="chime", description="A self-hosted WhatsApp Business CRM.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(to: Any, name: str, command: Command, text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = to.add_parser(name, parents=[shared], help=text, description=text)
        made.set_defaults(command=command)
        return made

    for name, command, text in (("serve", serve, "run the appliance"),
                                ("demo", demo, "run it with sample data and a simulated WhatsApp")):
        add(commands, name, command, text).add_argument("--bind", metavar="HOST:PORT")
    first = add(commands, "init", init, "make the first person and workspace")
    for name in ("--email", "--name", "--workspace"):
        first.add_argument(name, required=True)
    first.add_argument("--password-file", metavar="FILE")
    _workspace_commands(commands, add)
    _channel_commands(commands, add)
    keys = commands.add_parser("api-key", help="keys for scripts").add_subparsers(required=True, metavar="VERB")
    key = add(keys, "create", api_key_create, "make a key; it is shown once")
    for name in ("--workspace", "--name", "--scopes"):
        key.add_argument(name, required=True)
    add(commands, "migrate", migrate, "bring every file up to date").add_argument("--check", action="store_true")
    add(commands, "doctor", doctor, "check the installation")
    proof = add(commands, "prove-inbox", prove_inbox, "account for everything that Meta delivered")
    proof.add_argument("--since", metavar="WHEN", default="", help="2026-11-01, 7d or 24h (default: the beginning)")
    proof.add_argument("--workspace", metavar="NAME")
    proof.add_argument("--full", action="store_true", help="count finished days again too")
    proof.add_argument("--replay", action="store_true", help="apply the journal to a scratch file and compare")
    proof.add_argument("--scratch", metavar="DIR", help="where the scratch file may lie (default: beside the data)")
    add(commands, "config", show_config, "show every option and where its value comes from")
    add(commands, "version", version, "show the version")
    return parser


def _workspace_commands(commands: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    verbs = commands.add_parser("workspace", help="workspaces").add_subparsers(required=True, metavar="VERB")
    add(verbs, "create", workspace_create, "make a workspace").add_argument("--name", "--workspace", required=True)
    add(verbs, "list", workspace_list, "show the workspaces")


def _channel_commands(commands: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    verbs = commands.add_parser("channel", help="WhatsApp numbers").add_subparsers(required=True, metavar="VERB")
    new = add(verbs, "add", channel_add, "connect a number")
    for name in ("--workspace", "--phone-number-id", "--waba-id", "--display-phone", "--app-id"):
        new.add_argument(name, required=True)
    new.add_argument("--access-token-file", metavar="FILE", required=True)
    new.add_argument("--app-secret-file", metavar="FILE")
    new.add_argument("--verify-token-file", metavar="FILE")
    add(verbs, "list", channel_list, "show the numbers").add_argument("--workspace", required=True)
    check = add(verbs, "check", channel_check, "ask Meta about the numbers")
    check.add_argument("--workspace", required=True)
    check.add_argument("--channel", metavar="ID")
    gone = add(verbs, "remove", channel_remove, "disconnect a number")
    gone.add_argument("--workspace", required=True)
    gone.add_argument("--channel", metavar="ID", required=True)

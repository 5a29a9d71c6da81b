"""The command line: one thin function per command. Exit status 0 done, 1 refused or failed (one line), 2 usage."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chime import (
    __version__,
    cli_audit,
    cli_backups,
    cli_keys,
    cli_members,
    cli_releases,
    cli_sign_in,
    cli_users,
    cli_workspaces,
)
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
        return command(options, _settled(config))
    except ChimeError as error:
        print(f"chime: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:  # a disk that is full, a folder that is not ours: no fault of the program
        print(f"chime: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 1


def _settled(config: Config) -> Config:
    """With what was set in the browser. Where there is nothing yet, what finds out is not even loaded."""
    if not (config.data_dir / "control.db").exists():
        return config
    from chime.workspaces.kept_settings import settled

    return settled(config)


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
    # Nearly all that is made until it is ready stays: the collector would look through it a hundred times, a quarter of
    # the time a start takes. `settle_memory` turns it on again.
    gc.disable()
    from chime.serve import listen, prepare, start
    from chime.setup import is_set_up, keys_of
    from chime.workspaces.presence import guest

    sock = None
    if not is_set_up(config):
        from chime.first_run_commands import first_run

        sock = listen(config)
        if not first_run(config, sock):
            return 0
        config = _settled(config)
    else:
        from chime.first_run import forget_announcement

        forget_announcement(config.data_dir)
    with guest(config.data_dir):
        keys = keys_of(config)
        prepare(config, keys)
    start(config, keys, sock=sock)
    return 0


def demo(options: argparse.Namespace, config: Config) -> int:
    from chime.demo import run as run_demo

    named = any(setting.option.name == "data_dir" and setting.source != "default" for setting in config.settings)
    run_demo(config, throw_away=not named, any_port=options.bind is None)
    return 0


def init(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import initialise, recovery_sheet, write_secretly

    made = asyncio.run(initialise(config, email=options.email, name=options.name, workspace=options.workspace,
                                  password=_secret(options.password_file, "password-file")))
    answer: dict[str, Any] = {"workspace_id": made.workspace_id, "user_id": made.user_id}
    lines = [f"Workspace {options.workspace} is ready; {options.email} owns it."]
    if made.key_path is not None:
        answer["master_key_file"] = str(made.key_path)
        lines.append(f"The master key is in {made.key_path}. Copy it to a safe place: without it nothing can be read.")
    if options.recovery_sheet is not None:
        write_secretly(Path(options.recovery_sheet), recovery_sheet(config))
        lines.append(f"The recovery sheet is in {options.recovery_sheet}: print it, lock it away, delete the file.")
    else:
        lines.append("`chime keys sheet --output FILE` writes a recovery sheet: the key and the steps of a restore.")
    if made.password is not None:
        answer["password"] = made.password
        lines.append(f"Password: {made.password}")
    _say(options, answer, "\n".join(lines))
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
    from chime.doctor_commands import examine_channels

    checks = asyncio.run(examine_channels(config, options.workspace, options.channel))
    return _report(options, checks)


def channel_remove(options: argparse.Namespace, config: Config) -> int:
    from chime.setup import disconnect

    asyncio.run(disconnect(config, options.workspace, options.channel))
    _say(options, {"removed": options.channel}, "The number is disconnected; its conversations stay readable.")
    return 0


def migrate(options: argparse.Namespace, config: Config) -> int:
    from chime.releases.migrating import bring_up_to_date, show_progress

    found = asyncio.run(bring_up_to_date(config, check_only=options.check, progress=show_progress))
    failed = sorted(name for name, steps in found.items() if steps < 0)
    waiting = sum(steps for steps in found.values() if steps > 0)
    words = f"{waiting} steps missing" if options.check else f"{waiting} steps applied"
    _say(options, {"files": found, "failed": failed}, f"{len(found)} files looked at, {words}.")
    if failed:
        raise StartRefused(f"could not be brought up to date: {', '.join(failed)}")
    return 1 if options.check and waiting else 0


def doctor(options: argparse.Namespace, config: Config) -> int:
    from chime.doctor_commands import examine

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
    marks = {"ok": "ok ", "warn": "!  ", "fail": "BAD", "skipped": "-  "}
    # Nothing is wrong, but something could be better: that is no plain ok to who reads down the first column.
    lines = [f"{'tip' if check.state == 'ok' and check.what_to_do else marks[check.state]}  {check.name}: "
             f"{check.detail}" + (f"\n     {check.what_to_do}" if check.what_to_do else "") for check in checks]
    _say(options, {"ok": ok, "checks": [check.told() for check in checks]}, "\n".join(lines))
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
    first.add_argument("--recovery-sheet", metavar="FILE", help="write a recovery sheet, to be printed")
    cli_workspaces.add_commands(commands, add, _say)
    _channel_commands(commands, add)
    cli_audit.add_commands(commands, add, _say)
    users = commands.add_parser("user", help="people").add_subparsers(required=True, metavar="VERB")
    cli_members.add_member_verbs(users, add, _say)
    cli_users.add_user_verbs(users, add, _say)
    cli_sign_in.add_sign_in_verbs(users, add, _say)
    cli_keys.add_key_commands(commands, add, _say)
    cli_keys.add_api_key_commands(commands, add, _say)
    cli_releases.add_commands(commands, add, _say)
    cli_backups.add_commands(commands, add, _say)
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

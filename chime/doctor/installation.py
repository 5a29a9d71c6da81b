"""Checks of the machine and the configuration: what can be seen without opening anything."""

from __future__ import annotations

import os
import resource
import shutil
import stat
from pathlib import Path
from typing import Any

from chime.checked import Check, bad, doubtful, good, words
from chime.config import Config

# Shares of the disk below which a person should know, and soon.
SCARCE, VERY_SCARCE = 0.15, 0.05
# Sixty-four open workspaces, connections and uploads (see `chime.connections`).
FEWEST_FILES = 4_096
MOST_NAMED = 3


def of_the_machine(config: Config) -> list[Check]:
    return [folder(config), disk(config), open_files(), user_of_service(), public_address(config), proxies(config),
            security_contact(config), anchor_file(config)]


def folder(config: Config) -> Check:
    """Nobody else may look into it. Files inside count too: a restore by hand may have left them open to others."""
    name, place = words("data folder"), config.data_dir
    if not (place / "control.db").exists():
        return bad(name, words("%(folder)s holds no installation"),
                   words("Run `chime init`, or name the right folder with --data."), folder=str(place))
    open_to_others = [path.name for path in _ours(place) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_to_others:
        return bad(name, words("others may read %(files)s"), words("Run: chmod -R go= %(folder)s"),
                   files=", ".join(open_to_others[:MOST_NAMED]), folder=str(place))
    return good(name, words("%(folder)s is closed to others"), folder=str(place))


def _ours(place: Path) -> list[Path]:
    found = [place, place / "control.db"]
    for workspace in sorted(place.glob("workspaces/*")):
        found += [workspace, *sorted(workspace.glob("*.db"))]
    return [path for path in found if path.exists()]


def disk(config: Config) -> Check:
    name, place = words("disk"), config.data_dir if config.data_dir.exists() else Path(config.data_dir.anchor or ".")
    total, _, free = shutil.disk_usage(place)
    share, reserve = free / total, config.disk_reserve // 2**20
    said = words("%(free)s MB free (%(share)s)")
    values: dict[str, Any] = {"free": free // 2**20, "share": f"{share:.0%}", "reserve": reserve}
    if free < config.disk_reserve:
        return bad(name, said, words("Free some space now: below %(reserve)s MB (CHIME_DISK_RESERVE_MB) Chime takes "
                                     "nothing new."), **values)
    if share < VERY_SCARCE:
        return doubtful(name, said, words("Free some space soon: below %(reserve)s MB (CHIME_DISK_RESERVE_MB) Chime "
                                          "takes nothing new."), **values)
    if share < SCARCE:
        return good(name, said, words("Free some space one of these days: below %(reserve)s MB "
                                      "(CHIME_DISK_RESERVE_MB) Chime takes nothing new."), **values)
    return good(name, said, **values)


def open_files() -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEWEST_FILES:
        return doubtful(words("open files"), words("at most %(count)s files and connections may be open"),
                        words("Raise the limit of the service to 65536 (LimitNOFILE=65536 under systemd)."),
                        count=soft)
    return good(words("open files"), words("at most %(count)s files and connections may be open"),
                count=soft if soft != resource.RLIM_INFINITY else "∞")


def user_of_service() -> Check:
    if os.geteuid() == 0:
        return good(words("user"), words("runs as root"),
                    words("Let a user of its own run Chime, as the package and its systemd unit do."))
    return good(words("user"), words("runs as a user of its own"))


def public_address(config: Config) -> Check:
    name = words("public address")
    if not config.public_url:
        return good(name, words("not set: Meta's webhooks need one"),
                    words("Set CHIME_PUBLIC_URL to the https address of your reverse proxy."))
    if not config.public_url.startswith("https://"):
        advice = words("Meta posts to https only: put a reverse proxy in front.")
        return (good if config.demo else bad)(name, words("%(address)s"), advice, address=config.public_url)
    return good(name, words("%(address)s"), address=config.public_url)


def proxies(config: Config) -> Check:
    """Without it everybody has the proxy's address, in limits, sessions and the audit trail, and cookies are not
    Secure: Chime cannot know that the person came over https."""
    name, named = words("reverse proxy"), ", ".join(str(network) for network in config.trusted_proxies)
    if config.public_url.startswith("https://") and not named:
        return bad(name, words("the public address is https, and no proxy is believed"),
                   words("Set CHIME_TRUSTED_PROXIES to its address, such as 127.0.0.1/32."))
    if named:
        return good(name, words("believed: %(named)s"), named=named)
    return good(name, words("none; nobody else is believed"))


def security_contact(config: Config) -> Check:
    name = words("security.txt")
    if not config.security_contact:
        return good(name, words("not published: whoever finds a hole finds nobody to tell"),
                    words("Set CHIME_SECURITY_CONTACT to an email or https address."))
    return good(name, words("%(file)s names %(contact)s"),
                "" if config.public_url else words("Set CHIME_PUBLIC_URL, so that it says where it belongs."),
                file=f"{config.public_url or 'http://…'}/.well-known/security.txt", contact=config.security_contact)


def anchor_file(config: Config) -> Check:
    """Where checkpoints of the audit trails go, out of reach of whatever happens to the data folder."""
    path, name = config.audit_anchor_file, "audit anchors"
    if path is None:
        return good(name, words("kept in the data folder, and mailed to owners where mail is set up"),
                    words("Set CHIME_AUDIT_ANCHOR_FILE to a file that is kept elsewhere."))
    if os.access(path if path.exists() else path.parent, os.W_OK):
        return good(name, words("%(file)s can be added to"), file=str(path))
    return bad(name, words("%(file)s cannot be written"), words("Let the user that runs Chime write it."),
               file=str(path))

"""Starts the release it lies in: `python3 -I -S run.py ARGUMENTS OF chime`. Goes into the archive as `_run.py`.

On a server that the package set up, `chime` at root's shell works on the service's own files. Promise: it does so as
the service's user, so that no file of the data folder ever becomes root's, and it leaves no code behind.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent  # not through `current`: that may point elsewhere while we run
USER = "chime"
DATA = "/var/lib/chime"
SETTINGS = Path("/etc/chime")
# They replace code and restart the service; for everything else they start commands that come through here.
STAY_ROOT = ("upgrade", "rollback", "settle", "keep")
# They are about no installation, and anybody may ask.
APART = ("version", "demo")

_PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 8, 38
_CAPABILITIES_V3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def names_a_folder(arguments: list[str]) -> bool:
    """Whether somebody works on data of their own, which is none of the service's business."""
    return os.environ.get("CHIME_DATA_DIR", DATA) != DATA or any(
        argument == "--data" or argument.startswith("--data=") for argument in arguments)


def packaged() -> bool:
    """Whether the package has set this server up."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return SETTINGS.is_dir()


def settle(arguments: list[str]) -> None:
    """Take the service's folder, key and user, as far as the command asks for them."""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    if not command or names_a_folder(arguments) or not packaged():
        return
    root = os.geteuid() == 0
    if command in APART:
        os.environ.setdefault("CHIME_CONFIG", os.devnull)
        if root:
            become(USER, keep_files=False)
        return
    if not root:
        if not os.access(SETTINGS, os.X_OK):
            sys.exit(f"chime: this server's installation is root's to look after: sudo chime {command}")
        os.environ["CHIME_DATA_DIR"] = DATA
        return
    os.environ["CHIME_DATA_DIR"] = DATA
    take_key("CHIME_MASTER_KEY", SETTINGS / "master.key")
    take_key("CHIME_MASTER_KEY_PREVIOUS", SETTINGS / "master.key.previous")
    if command not in STAY_ROOT:
        become(USER, keep_files=command != "serve")


def take_key(option: str, file: Path) -> None:
    """As systemd gives it to the service. The environment as others see it stays as it was: this one is our own."""
    if option not in os.environ and f"{option}_FILE" not in os.environ and file.is_file():
        os.environ[option] = file.read_text("ascii", "replace").strip()


def become(user: str, *, keep_files: bool) -> None:
    """Go on as `user`, for good. With `keep_files` the files that root named on the command line can still be read and
    written; all that is made belongs to the user."""
    entry = pwd.getpwnam(user)
    kernel = ctypes.CDLL(None, use_errno=True)
    os.initgroups(user, entry.pw_gid)
    if keep_files:
        kernel.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    if keep_files:
        kept = 1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH
        header, sets = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
        # Where a container's root lacks them itself, the user has to make do without.
        kernel.capset(header, sets)
    else:
        os.chdir("/")  # root's own folder is closed to it
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.umask(0o077)
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)


def main() -> None:
    """Run one command of this release."""
    sys.dont_write_bytecode = True  # what may write the data folder's files must leave no code behind
    settle(sys.argv[1:])
    sys.path.insert(0, str(HERE / "site"))
    sys.argv[0] = "chime"
    from chime.cli import main as run

    run()


if __name__ == "__main__":
    main()

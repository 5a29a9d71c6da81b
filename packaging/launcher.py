"""The first lines of chime.pyz: refuse in one line what cannot work, choose where to unpack, hand over to shiv.

Compiled modules do not load from a zip, so the archive lays itself out in a folder once. Promise: the code that runs
lies in a folder that nobody but this user (or whoever set SHIV_ROOT) can write.
`packaging/archive.py` puts this file in place of shiv's `__main__.py` and fills in MACHINE. An old Python 3 must be
able to read it, as it is what tells its owner.
"""

import os
import stat
import sys
import tempfile

PYTHONS = ((3, 11), (3, 12), (3, 13))
MACHINE = "$machine"


def refuse(reason):
    sys.exit("chime: " + reason)


def candidates():
    """Where to unpack, best first. A service without a home has systemd's CacheDirectory=, or at worst /tmp."""
    if os.environ.get("CACHE_DIRECTORY"):
        yield os.environ["CACHE_DIRECTORY"].split(":")[0]
    home = os.path.expanduser("~")
    cache = os.environ.get("XDG_CACHE_HOME") or (os.path.join(home, ".cache") if os.path.isabs(home) else None)
    if cache:
        yield os.path.join(cache, "chime")
    yield os.path.join(tempfile.gettempdir(), f"chime-{os.geteuid()}")


def is_private(folder):
    """Whether the folder is there or can be made, takes programs, and is written by this user alone."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.lstat(folder)
        runs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return ours and runs and os.access(folder, os.W_OK)


def unpack_root():
    for folder in candidates():
        if is_private(folder):
            return folder
    return refuse("found no folder of your own to unpack into that may hold programs; name one in SHIV_ROOT")


if sys.version_info[:2] not in PYTHONS:
    refuse(f"this file runs on Python 3.11, 3.12 and 3.13; {sys.executable} is {sys.version.split()[0]}")
if os.uname().machine != MACHINE:
    refuse(f"this file is for {MACHINE} machines; this one is {os.uname().machine}")
if sys.argv[1:2] == ["--lay-out"]:
    from _layout import main  # inside the archive

    sys.exit(main(sys.argv[2:]))
if not os.environ.get("SHIV_ROOT"):
    os.environ["SHIV_ROOT"] = unpack_root()

from _bootstrap import bootstrap  # noqa: E402  (shiv's, inside the archive)

bootstrap()

"""The recovery sheet: what somebody needs who has the backups of an installation and nothing else. To be printed and
locked away, not to be kept on the machine."""

from __future__ import annotations

import base64
from pathlib import Path

from chime.clock import rfc3339
from chime.security.crypto import digest, master_key_id

_GROUP, _LINE = 4, 3


def sheet(master: bytes, *, data_dir: Path, public_url: str, at: int) -> str:
    """As text. It holds the master key."""
    return f"""CHIME RECOVERY SHEET                                    {rfc3339(at)[:10]}
Whoever has this sheet and a copy of the data can read everything. Lock it away.

Installation     {public_url or 'no public address set'}
Data folder      {data_dir.absolute()}
Master key id    {master_key_id(master)}

MASTER KEY (base64 of 32 bytes; write the groups one after the other)

{_written(master)}

Each line ends with a check of its own. `chime doctor` tells the id of the key it
was given: it must be the one above.

HOW TO RESTORE
1. Install Chime, the version that wrote the data or a later one.
2. Type the lines of the key above, with their checks, into a file (mode 0600).
3. From the folder of the backups (`backups` in the data folder, or the second place):
       chime backup restore-box --from FOLDER --master-key-file FILE
   Another key is refused before anything is touched. Everything is suspended then.
4. Switch the old machine off. Run `chime doctor`, start Chime, and say
       chime backup go-live
   What waited to be sent stays on hold until somebody releases it.
Without backups, but with a copy of the data folder: put it back as a whole
(control.db and control.key belong together, and each folder below workspaces/ to
them), set CHIME_MASTER_KEY to the key, run `chime doctor`, then `chime serve`.

After `chime keys rotate --master` this sheet opens only what was backed up before
(add `--at` with a moment before it): print a new one, and keep this one as long as
those backups.
"""


def _written(master: bytes) -> str:
    """Groups of four characters, three to a line, each line with two digits that tell a slip of the pen."""
    text = base64.b64encode(master).decode()
    groups = [text[start:start + _GROUP] for start in range(0, len(text), _GROUP)]
    lines = [groups[start:start + _LINE] for start in range(0, len(groups), _LINE)]
    return "\n".join(f"    {'   '.join(line):<20}   [{line_check(line)}]" for line in lines)


def line_check(groups: list[str]) -> str:
    return digest("".join(groups).encode()).hex()[:2]


def read_back(text: str) -> bytes:
    """The key of a sheet that somebody typed in again. Raises ValueError naming the line that is wrong."""
    found = ""
    for number, line in enumerate((line for line in text.splitlines() if "[" in line), 1):
        groups, _, check = line.partition("[")
        if line_check(groups.split()) != check.strip(" ]"):
            raise ValueError(f"line {number} is not what was printed")
        found += "".join(groups.split())
    return base64.b64decode(found, validate=True)

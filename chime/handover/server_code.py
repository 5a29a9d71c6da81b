"""The code of a server: what a workspace is handed over to, so that the file made then goes live there and only there.

It is no secret. A server keeps it for ever, and so does what is restored from its backups: a box and its copy are one
server here, and which of the two runs is for its operator to see to.
"""

from __future__ import annotations

import hashlib
import re

from chime.errors import Invalid
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from chime.workspaces import Control

_LENGTH, _CHECK, _GROUP = 12, 4, 4
_FIND = "SELECT value FROM meta WHERE key = 'server_code'"


async def server_code(control: Control, ids: Ids) -> str:
    """This server's; made when it is asked for first."""
    if (found := await control.db.value(_FIND)) is None:
        async with control.write(OPERATOR) as tx:
            made = new_code(ids)
            if await tx.execute("INSERT INTO meta (key, value) VALUES ('server_code', ?) ON CONFLICT (key) DO NOTHING",
                                made):
                await tx.audit("installation.server_code_made", "installation", "")
            found = await tx.value(_FIND)
    return str(found)


def new_code(ids: Ids) -> str:
    """Four groups; the last tells a mistyped one."""
    word = ids.code(_LENGTH)
    return _grouped(word + _check(word))


def read_code(typed: str) -> str:
    """As it is kept. Raises Invalid when it is no server's."""
    word = re.sub(r"[\s-]", "", typed).lower()
    if len(word) != _LENGTH + _CHECK or word[_LENGTH:] != _check(word[:_LENGTH]):
        raise Invalid.field("to", "this is no server's code; `chime workspace server-code` on that server says it")
    return _grouped(word)


def _check(word: str) -> str:
    return hashlib.sha256(f"chime server {word}".encode()).hexdigest()[:_CHECK]


def _grouped(word: str) -> str:
    return "-".join(word[at:at + _GROUP] for at in range(0, len(word), _GROUP))

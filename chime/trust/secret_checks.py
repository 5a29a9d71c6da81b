"""Self-checks of what is sealed and hashed: a sealed value opens in its own place only, nothing secret lies open, and
what only has to be recognised is kept as a hash."""

from __future__ import annotations

import re
from itertools import permutations

from chime.db import Db
from chime.security.crypto import CannotOpen
from chime.security.vault import Vault
from chime.trust.ground import Ground
from chime.trust.model import Broken
from chime.trust.places import some_workspaces
from chime.workspaces.key_status import key_status
from chime.workspaces.sealed_values import CONTROL_VALUES, WORKSPACE_VALUES, SealedColumn

# What only has to be recognised: rows in which it is something else than a SHA-256.
HASHED: dict[str, str] = {
    "session.secret_hash": "SELECT count(*) FROM session WHERE length(secret_hash) <> 32",
    "api_key.secret_hash": "SELECT count(*) FROM api_key WHERE length(secret_hash) <> 32",
    "invitation.token_hash": "SELECT count(*) FROM invitation WHERE length(token_hash) <> 32",
    "password_reset.token_hash": "SELECT count(*) FROM password_reset WHERE length(token_hash) <> 32",
}
_ARGON2 = re.compile(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$")
# OWASP's least setting.
LEAST_MEMORY, LEAST_PASSES = 19 * 1024, 2


async def bound_to_their_place(ground: Ground) -> str:
    """A value sealed just now opens where it belongs and nowhere else: no other row, column, table or workspace; nor
    with one bit changed."""
    vaults = {"the installation": ground.control.vault}
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            vaults[record.slug] = workspace.vault
    tried = 0
    for name, vault in vaults.items():
        sealed = vault.seal("a canary", table="trust", row="one", column="value")
        if vault.open(sealed, table="trust", row="one", column="value").reveal() != "a canary":
            raise Broken(f"what {name} sealed does not open again")
        flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
        for value, place in ((sealed, ("trust", "two", "value")), (sealed, ("trust", "one", "other")),
                             (sealed, ("other", "one", "value")), (flipped, ("trust", "one", "value"))):
            tried += 1
            if _opens(vault, value, *place):
                raise Broken(f"a value of {name} opened at a place it was not sealed for, or after it was changed")
    for (own, vault), (other, stranger) in permutations(vaults.items(), 2):
        tried += 1
        if _opens(stranger, vault.seal("a canary", table="trust", row="one", column="value"), "trust", "one", "value"):
            raise Broken(f"what {own} sealed was opened by {other}")
    return f"{tried} wrong places tried"


def _opens(vault: Vault, value: bytes, table: str, row: str, column: str) -> bool:
    try:
        vault.open(value, table=table, row=row, column=column)
    except CannotOpen:
        return False
    return True


async def sealed(ground: Ground) -> str:
    """Every stored credential opens in its own place, so it is sealed, and not in the next row's."""
    count = await _all_sealed(ground.control.db, ground.control.vault, "the installation", CONTROL_VALUES)
    for record in await some_workspaces(ground):
        async with ground.registry.use(record.id) as workspace:
            count += await _all_sealed(workspace.db, workspace.vault, record.slug, WORKSPACE_VALUES)
    return f"{count} stored values"


async def _all_sealed(db: Db, vault: Vault, name: str, columns: tuple[SealedColumn, ...]) -> int:
    count = 0
    for column in columns:
        for row, value in await db.rows(column.read, ""):
            if not isinstance(value, bytes) or not _opens(vault, value, column.table, row, column.column):
                raise Broken(f"{column.table}.{column.column} of {name} holds a value that is not sealed for its place")
            if _opens(vault, value, column.table, row + "x", column.column):
                raise Broken(f"{column.table}.{column.column} of {name} opens in a place that is not its own")
            count += 1
    return count


async def hashed(ground: Ground) -> str:
    """Sessions, keys and tokens are kept as hashes, passwords as argon2id of at least OWASP's setting."""
    db = ground.control.db
    for column, question in HASHED.items():
        if await db.value(question):
            raise Broken(f"{column} holds something that is no hash")
    stored = await db.rows("SELECT password_hash FROM user WHERE password_hash <> '' LIMIT 10000")
    for (text,) in stored:
        found = _ARGON2.match(text)
        if found is None or int(found[1]) < LEAST_MEMORY or int(found[2]) < LEAST_PASSES:
            raise Broken("a password is not kept as argon2id of the least setting")
    return f"{len(stored)} passwords, {len(HASHED)} kinds of tokens"


async def exchange(ground: Ground) -> str:
    """No exchange of keys is stuck: what was begun goes on until nothing is left under the old key."""
    status = await key_status(ground.control, now=ground.clock.real_now())
    stuck = [f"{one.name}: {use.trouble}" for one in status.workspaces for use in one.purposes if use.trouble]
    if stuck:
        raise Broken(f"an exchange of keys is stuck: {stuck[0]}")
    return f"generation {status.generation}, {len(status.workspaces)} workspaces"

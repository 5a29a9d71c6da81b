"""The credential store: a value sealed for one workspace, table, row and column, and for nowhere else."""

from __future__ import annotations

from chime.security.crypto import context, seal, unseal


class Secret:
    """A secret in memory. It has no text form, so it can't slip into a log, a page or an error."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value; call it only where it leaves for its one destination."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


class Vault:
    """Seals and opens the credentials of one scope (a workspace's id, or `control`)."""

    def __init__(self, key: bytes, scope: str) -> None:
        self._key = key
        self._scope = scope

    def seal(self, value: str, *, table: str, row: str, column: str) -> bytes:
        return seal(self._key, value.encode(), context(self._scope, table, row, column))

    def open(self, sealed: bytes, *, table: str, row: str, column: str) -> Secret:
        """Raises CannotOpen when the value was moved, damaged or sealed under another key."""
        return Secret(unseal(self._key, sealed, context(self._scope, table, row, column)).decode())

"""control.db: people, sessions, memberships, which app and number belongs to whom. No customer's words.

Routing is asked for on every webhook, so answers are kept in memory until the file changes (`data_version`, one
cheap read, also sees the command line's writes).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chime.clock import Clock
from chime.db import DatabaseFile
from chime.errors import NotFound
from chime.ids import Ids
from chime.security.vault import Secret
from chime.workspaces.keys import KeyRing, Purpose, Use, WorkspaceKeys
from chime.workspaces.records import Records
from chime.workspaces.transaction import AfterCommit, Writes

T = TypeVar("T")
# Seconds for which a look at the file counts; at thousands of webhooks a second even a cheap look adds up.
LOOK_EVERY = 0.02
MUTED = "muted"


class WorkspaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as control.db knows it. One that is `muted` is a copy: of another, as of a moment."""

    id: str
    slug: str
    name: str
    state: str
    time_zone: str
    created_at: int
    copied_from: str | None = None
    as_of: int | None = None

    @property
    def is_muted(self) -> bool:
        return self.state == MUTED

    @property
    def people_of(self) -> str:
        """The id of the workspace whose members may enter this one."""
        return self.copied_from or self.id


class MetaApp(msgspec.Struct, frozen=True, kw_only=True):
    """A Meta app that posts to us. The app key is the opaque part of its webhook address."""

    id: str
    app_id: str
    app_key: str
    app_secret_sealed: bytes
    verify_token_sealed: bytes
    previous_app_secret_sealed: bytes | None


class OpenApp(msgspec.Struct, frozen=True):
    """A Meta app with its secrets open, for checking a signature. `secrets` are those Meta may sign with: `secret`, and
    for a while the one before it."""

    id: str
    secret: bytes
    verify_token: Secret
    secrets: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"OpenApp({self.id})"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where a phone number id leads."""

    phone_number_id: str
    waba_id: str
    workspace_id: str
    channel_id: str
    meta_app_id: str


class Anchoring(msgspec.Struct, frozen=True, kw_only=True):
    """Under which host the audit trails go, and the file outside of our folders that keeps every checkpoint."""

    host: str = "chime.local"
    file: Path | None = None


_WORKSPACE = "SELECT id, slug, name, state, time_zone, created_at, copied_from, as_of FROM workspace"


class Control:
    """The open control.db."""

    def __init__(self, db: DatabaseFile, keys: KeyRing, clock: Clock, ids: Ids, after_commit: AfterCommit,
                 anchoring: Anchoring) -> None:
        self.db = db
        self.keys = keys
        self.vault = keys.control_vault()
        writes = Writes(db, clock, ids, after_commit)
        self.write = writes.write
        self.ingest = writes.ingest
        self.records = Records(writes)
        self.anchoring = anchoring
        self._apps: dict[str, OpenApp | None] = {}
        self._routes: dict[str, Route | None] = {}
        self._active: dict[str, bool] = {}
        self._handed_over: dict[str, bool] = {}
        self._version: Any = None
        self._clock = clock
        self._looked_at = 0.0

    @classmethod
    async def open(cls, data_dir: Path, keys: KeyRing, clock: Clock, ids: Ids,
                   after_commit: AfterCommit = lambda committed: None,
                   anchoring: Anchoring | None = None) -> Control:
        db = await DatabaseFile.open(data_dir / "control.db", keys.control_file)
        return cls(db, keys, clock, ids, after_commit, anchoring or Anchoring())

    async def workspaces(self) -> list[WorkspaceRecord]:
        """Those that are not erased."""
        return await self.db.all(WorkspaceRecord, f"{_WORKSPACE} WHERE state <> 'erased' ORDER BY name")

    async def workspace(self, id_or_name: str) -> WorkspaceRecord | None:
        """By id, name or slug: whatever a person at the shell has at hand."""
        return await self.db.one(WorkspaceRecord, f"{_WORKSPACE} WHERE (id = ?1 OR slug = ?1 OR name = ?1) "
                                 "AND state <> 'erased'", id_or_name)

    async def workspace_by_slug(self, slug: str) -> WorkspaceRecord | None:
        return await self.db.one(WorkspaceRecord, f"{_WORKSPACE} WHERE slug = ?", slug)

    async def app(self, app_key: str) -> OpenApp | None:
        """The Meta app of a webhook address, its secrets open."""
        await self._forget_when_changed()
        if app_key not in self._apps:
            row = await self.db.one(
                MetaApp, "SELECT id, app_id, app_key, app_secret_sealed, verify_token_sealed, "
                "previous_app_secret_sealed FROM meta_app WHERE app_key = ?", app_key)
            if row is None:
                return None
            self._apps[app_key] = self._opened(row)
        return self._apps[app_key]

    def _opened(self, row: MetaApp) -> OpenApp:
        secret = self.vault.open(row.app_secret_sealed, table="meta_app", row=row.id, column="app_secret")
        token = self.vault.open(row.verify_token_sealed, table="meta_app", row=row.id, column="verify_token")
        secrets = [secret.reveal().encode()]
        if row.previous_app_secret_sealed is not None:
            secrets.append(self.vault.open(row.previous_app_secret_sealed, table="meta_app", row=row.id,
                                           column="previous_app_secret").reveal().encode())
        return OpenApp(row.id, secrets[0], token, tuple(secrets))

    async def app_by_id(self, meta_app_id: str) -> OpenApp | None:
        """The same, by our own id of the app."""
        key = await self.db.value("SELECT app_key FROM meta_app WHERE id = ?", meta_app_id)
        return await self.app(key) if key else None

    async def route(self, phone_number_id: str) -> Route | None:
        """Where a number leads, or None when nobody claimed it."""
        await self._forget_when_changed()
        if phone_number_id not in self._routes:
            self._routes[phone_number_id] = await self.db.one(
                Route, "SELECT phone_number_id, waba_id, workspace_id, channel_id, meta_app_id FROM channel_route "
                "WHERE phone_number_id = ?", phone_number_id)
        return self._routes[phone_number_id]

    async def workspace_keys(self, workspace_id: str) -> WorkspaceKeys:
        """The unwrapped keys of a workspace, every version of them. Raises NotFound when there is no such workspace or
        it was erased."""
        wrapped = await self.db.rows("SELECT version, wrapped FROM workspace_key WHERE workspace_id = ?", workspace_id)
        if not wrapped:
            raise NotFound("there is no such workspace")
        uses = await self.db.rows("SELECT purpose, version, target FROM key_purpose WHERE workspace_id = ?",
                                  workspace_id)
        roots = {version: self.keys.root(blob, workspace_id, version) for version, blob in wrapped}
        identity, copied_from = (await self.db.rows("SELECT coalesce(identity, id), copied_from FROM workspace "
                                                    "WHERE id = ?", workspace_id))[0]
        if copied_from is not None:
            return WorkspaceKeys(roots, identity, is_copy=True)
        return WorkspaceKeys(roots, identity, {
            Purpose(purpose): Use(version=version, target=target) for purpose, version, target in uses})

    async def is_active(self, workspace_id: str) -> bool:
        """Whether people and scripts may enter it and its jobs run: neither suspended nor erased."""
        await self._forget_when_changed()
        if workspace_id not in self._active:
            self._active[workspace_id] = await self.db.value(
                "SELECT state FROM workspace WHERE id = ?", workspace_id) == "active"
        return self._active[workspace_id]

    async def is_handed_over(self, workspace_id: str) -> bool:
        """Whether another server answers for it from now on: what comes for it is not taken here any more."""
        await self._forget_when_changed()
        if workspace_id not in self._handed_over:
            self._handed_over[workspace_id] = bool(await self.db.value(
                "SELECT 1 FROM workspace_move WHERE workspace_id = ? AND direction = 'out'", workspace_id))
        return self._handed_over[workspace_id]

    async def workspaces_of_waba(self, waba_id: str, meta_app_id: str) -> list[str]:
        """The workspaces with a number of this WhatsApp Business Account that this app speaks for; nearly always one.
        """
        rows = await self.db.rows("SELECT DISTINCT workspace_id FROM channel_route WHERE waba_id = ?", waba_id)
        return [row[0] for row in rows if await self.speaks_for(meta_app_id, row[0])]

    async def speaks_for(self, meta_app_id: str, workspace_id: str) -> bool:
        """Whether an app is that of one of the workspace's numbers."""
        return await self.db.value("SELECT 1 FROM channel_route WHERE workspace_id = ? AND meta_app_id = ? LIMIT 1",
                                   workspace_id, meta_app_id) is not None

    async def _forget_when_changed(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        version = await self.db.value("PRAGMA data_version")
        if version != self._version:
            self._apps.clear()
            self._routes.clear()
            self._active.clear()
            self._handed_over.clear()
            self._version = version

    async def close(self) -> None:
        await self.records.close()
        await self.db.close()

"""What control.db knows of a workspace, taken along with its secrets open: they are sealed again with the file."""

from __future__ import annotations

from chime import audit
from chime.db import Db
from chime.errors import Conflict
from chime.handover import queries
from chime.handover.model import App, Description, RootKey
from chime.workspaces import Control, WorkspaceRecord


async def describe(control: Control, record: WorkspaceRecord, workspace: Db) -> Description:
    """`workspace` says which numbers it has, be they answered from here or not yet. Raises Conflict while its keys are
    being replaced."""
    db = control.db
    if await queries.is_changing_keys(db, record.id):
        raise Conflict("The keys of this workspace are being replaced; export it when that is done (`chime keys "
                       "status` shows how far it is).")
    policy, owner_policy = await queries.policies(db, record.id)
    move = await queries.move(db, record.id)
    return Description(
        name=record.name, time_zone=record.time_zone, created_at=record.created_at,
        # One that waits here to go live may still do so: what is exported of it does not end that.
        is_final=move is not None and move.direction == "out",
        handed_to=move.handed_to if move is not None else "",
        policy_text=policy, owner_policy_text=owner_policy, people=tuple(await queries.people(db, record.id)),
        teams=tuple(await queries.teams(db, record.id)), roles=tuple(await queries.roles(db, record.id)),
        apps=tuple([_opened(control, app) for app in await queries.apps(db, await queries.numbers(workspace))]),
        roots=tuple([_unwrapped(control, record.id, root) for root in await queries.roots(db, record.id)]),
        uses=tuple(await queries.uses(db, record.id)), forgotten=tuple(await queries.forgotten(db, record.id)),
        audit_key=await audit.public_key(control))


def _opened(control: Control, app: queries.SealedApp) -> App:
    def secret(sealed: bytes, column: str) -> str:
        return control.vault.open(sealed, table="meta_app", row=app.id, column=column).reveal()

    before = app.previous_app_secret_sealed
    return App(id=app.id, app_id=app.app_id, app_key=app.app_key, secret=secret(app.app_secret_sealed, "app_secret"),
               previous_secret=None if before is None else secret(before, "previous_app_secret"),
               verify_token=secret(app.verify_token_sealed, "verify_token"))


def _unwrapped(control: Control, workspace_id: str, root: queries.WrappedRoot) -> RootKey:
    found = control.keys.root(root.wrapped, workspace_id, root.version)
    return RootKey(version=root.version, secret=found.secret, callbacks=found.callbacks, created_at=root.created_at,
                   retired_at=root.retired_at)

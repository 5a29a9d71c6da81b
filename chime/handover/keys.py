"""The keys of a workspace from what a description says of them."""

from __future__ import annotations

from chime.handover.model import Description
from chime.workspaces.keys import Purpose, Root, Use, WorkspaceKeys


def roots_of(description: Description) -> dict[int, Root]:
    return {root.version: Root(root.secret, root.callbacks) for root in description.roots}


def keys_of(description: Description, workspace_id: str) -> WorkspaceKeys:
    return WorkspaceKeys(roots_of(description), workspace_id, {
        Purpose(use.purpose): Use(version=use.version) for use in description.uses})

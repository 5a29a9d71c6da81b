"""Workspaces: one folder each, with two encrypted files and its media; and control.db, which knows where they are.

Promise: code that holds a `Workspace` can reach that workspace's files and no other's. Every change goes through
`write(actor)`, which refuses to commit what nobody audited, or through `ingest(source)`, whose callers are few and
listed in `tests/architecture/test_unaudited.py`.
"""

from chime.workspaces.control import Anchoring, Control, OpenApp, WorkspaceRecord
from chime.workspaces.files import StoredFiles
from chime.workspaces.keys import KeyRing, find_masters, open_keys
from chime.workspaces.provision import create_control, create_workspace, migrate_all
from chime.workspaces.records import Record, Records
from chime.workspaces.registry import Registry
from chime.workspaces.rewriting import rewrite_files
from chime.workspaces.space import DiskNearlyFull, Space
from chime.workspaces.transaction import JobNudge, LiveNudge, Transaction, Unaudited
from chime.workspaces.workspace import Workspace, applied_upto

__all__ = ["Anchoring", "Control", "DiskNearlyFull", "JobNudge", "KeyRing", "LiveNudge", "OpenApp", "Record",
           "Records", "Registry", "Space", "StoredFiles", "Transaction", "Unaudited", "Workspace", "WorkspaceRecord",
           "applied_upto", "create_control", "create_workspace", "find_masters", "migrate_all", "open_keys",
           "rewrite_files"]

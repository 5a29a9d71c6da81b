"""Backups: what was committed, on a shelf within seconds; every restore tried before it counts.

Promise: a piece of a backup is never trusted before it is proven ours, whole and in its place; the appliance's writers
never wait for a backup; and this package only ever reads what is live. Restoring means laying files into a new folder:
what becomes of them is `restores`.
"""

from chime.backups.asking import backup_now
from chime.backups.checking import BackupState, Item, listing, read_state
from chime.backups.laying import Laid, Moments, lay_control, lay_workspace, moments
from chime.backups.loop import Backups
from chime.backups.pieces import BackupRefused
from chime.backups.shelf import CONTROL, Shelf
from chime.backups.telling import told
from chime.backups.trial import Check, Checked, Trial, drill, verify, verify_control

__all__ = ["CONTROL", "BackupRefused", "BackupState", "Backups", "Check", "Checked", "Item", "Laid", "Moments", "Shelf",
           "Trial", "backup_now", "drill", "lay_control", "lay_workspace", "listing", "moments", "read_state", "told",
           "verify", "verify_control"]

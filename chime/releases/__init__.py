"""Upgrading and going back: from a signed file to a running service, or to the one that ran before.

Promise: whatever fails and whenever this is killed, one whole release is `current` and serves the data that is there;
what was begun is written down, and finished or undone by whoever comes next: another `chime upgrade`, `chime rollback`,
or the start of the service. Nothing is taken that no trusted key has signed.
"""

from chime.releases.release import Release
from chime.releases.shelf import ROOT, Shelf
from chime.releases.state import Outcome, Step, Upgrade

__all__ = ["ROOT", "Outcome", "Release", "Shelf", "Step", "Upgrade"]

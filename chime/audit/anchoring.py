"""Under which name trails are signed, and where else what was signed is kept: from the options."""

from __future__ import annotations

from urllib.parse import urlsplit

from chime.config import Config
from chime.workspaces import Anchoring


def anchoring(config: Config) -> Anchoring:
    """The host of the public address names the trails; an installation without one has a name of its own house."""
    return Anchoring(host=urlsplit(config.public_url).hostname or "chime.local", file=config.audit_anchor_file)

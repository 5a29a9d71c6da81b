"""What support access may ever be: the modules it can be given for, and what each lets an operator do, as data.

Nothing here lets anybody export, see credentials, reveal a number, approve, or touch members, keys, policies and the
audit trail; a test holds the table against that list. Numbers are hidden unless whoever granted the access said
otherwise, and with them the files that customers sent.
"""

from __future__ import annotations

from collections.abc import Collection

from chime.clock import HOUR, MINUTE
from chime.security.permissions import Grant, Permission

LONGEST = 4 * HOUR
EMERGENCY_LASTS = HOUR
SHORTEST = 5 * MINUTE
# A request that nobody answered is none any more.
REQUEST_LASTS = 24 * HOUR

READS: dict[str, tuple[Permission, ...]] = {
    "inbox": (Permission.INBOX_READ,),
    "contacts": (Permission.CONTACTS_READ,),
    "channels": (Permission.CHANNELS_READ,),
    "templates": (Permission.TEMPLATES_READ,),
    "delivery": (Permission.DELIVERY_READ,),
}
WRITES: dict[str, tuple[Permission, ...]] = {
    "inbox": (Permission.INBOX_REPLY, Permission.INBOX_ASSIGN),
    "contacts": (Permission.CONTACTS_EDIT, Permission.TAGS_EDIT, Permission.CONSENT_OPT_OUT),
    "delivery": (Permission.DELIVERY_RETRY,),
}
UNMASKED: dict[str, tuple[Permission, ...]] = {
    "inbox": (Permission.NUMBERS_READ, Permission.INBOX_FILES),
    "contacts": (Permission.NUMBERS_READ,),
}
# Whatever is granted: so that the workspace can be entered at all.
ALWAYS = (Permission.WORKSPACE_READ,)


def support_grants(modules: Collection[str], *, writes: bool, masked: bool) -> dict[Permission, Grant]:
    """What a grant comes down to. A module that is not in the table gives nothing."""
    tables = [READS, *([WRITES] if writes else []), *([] if masked else [UNMASKED])]
    allowed = [permission for table in tables for module in modules for permission in table.get(module, ())]
    return {permission: Grant(masked=masked) for permission in (*ALWAYS, *allowed)}

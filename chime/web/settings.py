"""The one list of the settings of a workspace: what stands in the sidebar, in this order, for whom.

Every feature with a page under `/w/{slug}/settings/…` has its row here and its page extends `layout/settings.html`,
with `{% set section = "settings" %}` and `{% set setting = "<key>" %}`. A row is shown to whoever holds its permission;
the guard of the page asks for it all the same.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.security.permissions import Permission


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `path` goes on after `/w/{slug}`; `words` are looked up in the reader's catalogue by the template."""

    key: str
    words: str
    path: str
    permission: Permission
    icon: str
    about: str = ""
    group: str = "inbox"
    """Under which heading it stands: `workspace`, `people`, `inbox`, `security` or `data` (settings/_groups.html)."""
    help: str = ""
    """The topic of help that is about it."""


# Order: what the workspace is, its people, its numbers, what scripts may, security, what is kept, proofs.
SETTINGS: tuple[Section, ...] = (
    Section(key="general", words="General", path="/settings/general", permission=Permission.WORKSPACE_EDIT,
            icon="settings", about="Name and time zone of the workspace.", group="workspace"),
    Section(key="members", words="Members", path="/settings/members", permission=Permission.MEMBERS_READ,
            help="members", icon="users-round",
            about="Who works here, what they may do, and who is invited.", group="people"),
    Section(key="teams", words="Teams", path="/settings/teams", permission=Permission.MEMBERS_READ,
            help="members", icon="network", about="Groups of members who share conversations.", group="people"),
    Section(key="assignment", words="Assignment", path="/settings/assignment", permission=Permission.ROUTING_EDIT,
            help="assignment", icon="user-plus", about="Who gets a conversation by itself, and how many at most."),
    Section(key="shifts", words="Shifts", path="/settings/shifts", permission=Permission.ROUTING_EDIT,
            help="assignment", icon="calendar", about="When people work, when they are away, and who stands in."),
    Section(key="roles", words="Roles", path="/settings/roles", permission=Permission.MEMBERS_READ,
            help="members", icon="id-card", about="What each role may do, and roles of your own.", group="people"),
    Section(key="sign-in", words="Sign-in groups", path="/settings/sign-in", permission=Permission.MEMBERS_EDIT,
            help="members", icon="fingerprint",
            about="Which groups of the sign-in provider work here, and as what.", group="people"),
    Section(key="channels", words="WhatsApp numbers", path="/settings/channels", permission=Permission.CHANNELS_READ,
            help="connecting", icon="smartphone", group="workspace",
            about="The numbers you write from, how they are rated, and their credentials."),
    Section(key="connection", words="Connection", path="/settings/connection",
            permission=Permission.CHANNELS_CONNECT, help="connecting", icon="clipboard-check", group="workspace",
            about="Whether each number works: token, webhooks, quality, silence, and what to do."),
    Section(key="prices", words="Prices", path="/settings/prices", permission=Permission.WORKSPACE_EDIT,
            help="prices", icon="receipt", about="Meta’s rate cards: what a message costs, shown before it is sent.",
            group="workspace"),
    Section(key="service", words="Hours and service", path="/settings/service", permission=Permission.SERVICE_EDIT,
            help="service", icon="clock", about="Working hours, answer times, and asking how it was."),
    Section(key="conversations", words="Conversations", path="/settings/conversations",
            permission=Permission.WORKSPACE_EDIT, icon="message-circle",
            about="Why they are resolved, and what happens when a customer writes again."),
    Section(key="tags", words="Tags", path="/settings/tags", permission=Permission.TAGS_EDIT, help="people", icon="tag",
            about="Rename, merge and delete the tags of contacts and conversations."),
    Section(key="fields", words="Custom fields", path="/settings/fields", permission=Permission.WORKSPACE_EDIT,
            help="people", icon="list-plus", about="What is written down about contacts and conversations."),
    Section(key="api-keys", words="API keys", path="/settings/api-keys", permission=Permission.API_KEYS_EDIT,
            help="api", icon="key-round", about="What scripts and other programs may do here.", group="security"),
    Section(key="security", words="Security policy", path="/settings/security", permission=Permission.SECURITY_EDIT,
            icon="shield-check", about="Second factor, session length, allowed addresses, masking.", group="security"),
    Section(key="approvals", words="Approvals", path="/settings/approvals", permission=Permission.CONTACTS_EXPORT,
            help="data", icon="clipboard-check",
            about="What waits for a second person, and what became of it.", group="security"),
    Section(key="backups", words="Backups", path="/settings/backups", permission=Permission.BACKUPS_READ,
            help="backups", icon="history", group="data",
            about="How far back the workspace can go, and its restored copies."),
    Section(key="exports", words="Exports", path="/settings/exports", permission=Permission.CONTACTS_EXPORT,
            help="data", icon="download", about="Take contacts and conversations with you.", group="data"),
    Section(key="workspace-file", words="Workspace file", path="/settings/workspace-file",
            permission=Permission.WORKSPACE_TRANSFER, help="backups", icon="database", group="data",
            about="Everything as one encrypted file, to keep or to move to another server."),
    Section(key="queries", words="Query your data", path="/settings/queries", permission=Permission.DATA_QUERY,
            icon="search", about="Ask your own questions of all there is, in SQL.", group="data"),
    Section(key="erasures", words="Erasures", path="/settings/erasures", permission=Permission.DATA_ERASE,
            help="data", icon="user-minus", about="Who was forgotten, with a certificate for each.", group="data"),
    Section(key="retention", words="Retention", path="/settings/retention", permission=Permission.DATA_RETENTION,
            help="data", icon="hourglass", about="How long messages, files and records are kept.", group="data"),
    Section(key="audit", words="Audit log", path="/settings/audit", permission=Permission.AUDIT_READ,
            help="records", icon="scroll-text",
            about="Who did what, signed so that nobody can change it.", group="security"),
    Section(key="support", words="Support access", path="/settings/support", permission=Permission.SUPPORT_END,
            icon="life-buoy", about="Let whoever runs this server look into something, for a while.", group="security"),
    Section(key="erasure", words="Erase workspace", path="/settings/erasure", permission=Permission.WORKSPACE_ERASE,
            help="data", icon="trash-2", about="Make everything in it unreadable for ever.", group="data"),
    Section(key="delivery", words="Delivery proof", path="/delivery", permission=Permission.DELIVERY_READ,
            icon="check-check", about="Proof that nothing WhatsApp delivered was lost.", group="data"),
)


def shown(permissions: Collection[str]) -> tuple[Section, ...]:
    """The sections for somebody with these permissions."""
    return tuple(section for section in SETTINGS if section.permission.value in permissions)

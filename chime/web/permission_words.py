"""What permissions, roles and modules are called by people: one list for every page that shows or asks for them."""

from __future__ import annotations

import msgspec

from chime.security.permissions import Permission, Reach, Role


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Something with words for people; templates look them up in the reader's catalogue."""

    key: str
    words: str
    about: str = ""


def _may(permission: Permission, *, words: str) -> Named:
    return Named(key=permission.value, words=words)


# By the part of their name before the colon, in the order in which pages show them.
PERMISSIONS: tuple[tuple[Named, tuple[Named, ...]], ...] = (
    (Named(key="inbox", words="Inbox"), (
        _may(Permission.INBOX_READ, words="Read conversations"),
        _may(Permission.INBOX_REPLY, words="Reply, resolve and reopen"),
        _may(Permission.INBOX_START, words="Start a conversation with a number"),
        _may(Permission.INBOX_ASSIGN, words="Assign conversations"),
        _may(Permission.INBOX_FILES, words="Download files"),
        _may(Permission.INBOX_EXPORT, words="Export conversations"),
        _may(Permission.INBOX_QUICK_REPLIES, words="Make quick replies: own, teams’, everybody’s"),
        _may(Permission.ROUTING_EDIT, words="Decide who gets which conversation"))),
    (Named(key="views", words="Saved views"), (
        _may(Permission.VIEWS_SHARE, words="Share saved views with a team or everybody"),)),
    (Named(key="service", words="Hours and service"), (
        _may(Permission.SERVICE_READ, words="See reports on answer times and ratings"),
        _may(Permission.SERVICE_EDIT, words="Set working hours, targets and the question after a conversation"))),
    (Named(key="contacts", words="Contacts"), (
        _may(Permission.CONTACTS_READ, words="See contacts"),
        _may(Permission.CONTACTS_EDIT, words="Change contacts"),
        _may(Permission.CONTACTS_DELETE, words="Delete contacts"),
        _may(Permission.CONTACTS_EXPORT, words="Export contacts"),
        _may(Permission.TAGS_EDIT, words="Make and rename tags"),
        _may(Permission.CONSENT_OPT_OUT, words="Record that somebody opted out"),
        _may(Permission.CONSENT_OPT_IN, words="Record that somebody opted in"))),
    (Named(key="numbers", words="Customers’ phone numbers"), (
        _may(Permission.NUMBERS_READ, words="See phone numbers whole"),
        _may(Permission.NUMBERS_REVEAL, words="Reveal a masked number (it is written down)"))),
    (Named(key="templates", words="Templates"), (
        _may(Permission.TEMPLATES_READ, words="See templates"),)),
    (Named(key="channels", words="WhatsApp numbers"), (
        _may(Permission.CHANNELS_READ, words="See the numbers and their state"),
        _may(Permission.CHANNELS_CONNECT, words="Connect, change and disconnect numbers"))),
    (Named(key="members", words="People"), (
        _may(Permission.MEMBERS_READ, words="See members"),
        _may(Permission.MEMBERS_INVITE, words="Invite people"),
        _may(Permission.MEMBERS_EDIT, words="Change, suspend and remove members"),
        _may(Permission.SESSIONS_END, words="Sign other people out"),
        _may(Permission.TEAMS_EDIT, words="Manage teams"),
        _may(Permission.ROLES_EDIT, words="Make and change roles"))),
    (Named(key="workspace", words="Workspace"), (
        _may(Permission.WORKSPACE_READ, words="Be in the workspace"),
        _may(Permission.WORKSPACE_EDIT, words="Change name and time zone"),
        _may(Permission.SECURITY_EDIT, words="Change the security policy"),
        _may(Permission.WORKSPACE_TRANSFER, words="Hand over the ownership"),
        _may(Permission.WORKSPACE_ERASE, words="Erase the workspace"))),
    (Named(key="api_keys", words="Scripts"), (
        _may(Permission.API_KEYS_EDIT, words="Make and revoke API keys"),)),
    (Named(key="data", words="Data"), (
        _may(Permission.DATA_QUERY, words="Ask questions of all data in SQL"),
        _may(Permission.DATA_EXPORT, words="Export what is stored about a person"),
        _may(Permission.DATA_ERASE, words="Erase what is stored about a person"),
        _may(Permission.DATA_RETENTION, words="Decide how long things are kept"),
        _may(Permission.APPROVALS_DECIDE, words="Approve exports and erasures of others"))),
    (Named(key="audit", words="Audit trail"), (
        _may(Permission.AUDIT_READ, words="Read the audit trail"),
        _may(Permission.AUDIT_EXPORT, words="Export the audit trail"))),
    (Named(key="support", words="Support"), (
        _may(Permission.SUPPORT_APPROVE, words="Let support in for a while"),
        _may(Permission.SUPPORT_END, words="End a support session"))),
    (Named(key="delivery", words="Delivery proof"), (
        _may(Permission.DELIVERY_READ, words="See the delivery proof"),
        _may(Permission.DELIVERY_RETRY, words="Try set-aside events again"))),
    (Named(key="backups", words="Backups"), (
        _may(Permission.BACKUPS_READ, words="See how far back the workspace can go"),
        _may(Permission.BACKUPS_RESTORE, words="Restore an earlier moment"))),
)

ROLES: dict[str, Named] = {named.key: named for named in (
    Named(key=Role.OWNER.value, words="Owner", about="Everything; only owners decide about the workspace itself."),
    Named(key=Role.ADMIN.value, words="Admin", about="Everything but what owners decide; manages people below."),
    Named(key=Role.MANAGER.value, words="Manager", about="Leads teams: their conversations, their people, opt-ins."),
    Named(key=Role.MEMBER.value, words="Member", about="Works in the inbox of their teams and sees phone numbers."),
    Named(key=Role.AGENT.value, words="Agent", about="Answers what is assigned to them; phone numbers are masked."),
    Named(key=Role.ANALYST.value, words="Analyst", about="Sees figures, and no customer or message."),
    Named(key=Role.VIEWER.value, words="Viewer", about="Reads along in their teams and changes nothing."),
)}

REACHES: dict[Reach, Named] = {
    Reach.ALL: Named(key="all", words="All"),
    Reach.TEAM: Named(key="team", words="Own teams"),
    Reach.OWN: Named(key="own", words="Own"),
}

PRESETS: tuple[Named, ...] = (
    Named(key="seven", words="All seven roles"),
    Named(key="five", words="Five roles: Owner, Admin, Manager, Member, Viewer"),
    Named(key="four", words="Four roles: Owner, Admin, Agent, Analyst"),
)

# What a member's switches take away: the groups above under the names that `MODULES` knows.
MODULE_WORDS: tuple[Named, ...] = (
    Named(key="inbox", words="Inbox"), Named(key="contacts", words="Contacts"),
    Named(key="channels", words="WhatsApp numbers"), Named(key="templates", words="Templates"),
    Named(key="members", words="People"), Named(key="api_keys", words="API keys"),
    Named(key="audit", words="Audit trail"), Named(key="data", words="Data"),
    Named(key="delivery", words="Delivery proof"),
)

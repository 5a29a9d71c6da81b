"""Mails about approvals: that somebody's decision is wanted, and what was decided. Nothing of customers is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chime import accounts
from chime.accounts import Holder
from chime.approvals.model import Approval, Needs, State
from chime.db import Db
from chime.security.permissions import Permission

if TYPE_CHECKING:
    from chime.web.mail import Mailer
    from chime.workspaces import WorkspaceRecord

_KINDS = {"contacts_export": "an export of contacts", "conversations_export": "an export of conversations",
          "subject_export": "an export of what is stored about one person", "erasure": "the erasure of a person",
          "workspace_export": "the whole workspace as one file", "query_export": "the answer to a question in SQL",
          "restore": "a restore of the workspace to an earlier moment",
          "contacts_from_copy": "contacts to be brought back from an earlier moment"}


def _page(mailer: Mailer, workspace: WorkspaceRecord) -> str:
    return mailer.link(f"/w/{workspace.slug}/settings/approvals")


async def mail_asked(mailer: Mailer, workspace: WorkspaceRecord, row: Approval, deciders: Sequence[Holder],
                     owners: Sequence[Holder]) -> None:
    """Whoever may decide is asked; where nobody else can, the owners are told that it will happen in a day."""
    if not mailer.configured or row.needs is Needs.NOBODY:
        return
    what = _KINDS.get(row.kind, "something")
    if row.needs is Needs.PERSON:
        subject, people = "Your approval is asked for", deciders
        text = f"{row.requester_name} asks for {what} in {workspace.name}. See what it would do, and decide:"
    else:
        subject, people = "Something will happen in 24 hours", owners
        text = (f"{row.requester_name} asked for {what} in {workspace.name}. Nobody else there could agree to it, so "
                "it begins in 24 hours. If this is not your wish, stop it:")
    for person in people:
        await mailer.tell(person.email, subject, f"{text}\n\n{_page(mailer, workspace)}\n", name=person.name)


async def mail_decided(mailer: Mailer, control: Db, workspace: WorkspaceRecord, row: Approval) -> None:
    """Whoever asked hears what was decided."""
    if not mailer.configured or row.person_id is None:
        return
    people = await accounts.holders(control, workspace.id, Permission(row.permission))
    person = next((holder for holder in people if holder.id == row.person_id), None)
    if person is None:
        return
    words = "agreed to" if row.state is State.APPROVED else "did not agree to"
    await mailer.tell(person.email, "Your request was decided",
                      f"{row.approver_name} {words} {_KINDS.get(row.kind, 'something')} that you asked for in "
                      f"{workspace.name}.\n\n{_page(mailer, workspace)}\n", name=person.name)

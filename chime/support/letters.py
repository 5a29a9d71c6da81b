"""The mails about support access. They name people, modules and times; reasons stay on the page behind the sign-in."""

from __future__ import annotations

from chime.support import queries
from chime.support.model import Grant
from chime.web.mail import Mailer
from chime.workspaces import Transaction


async def mail_request(mailer: Mailer, tx: Transaction, asked: Grant) -> None:
    """The owners hear that somebody asks."""
    if not mailer.configured:
        return
    link = mailer.link(f"/w/{asked.workspace_slug}/settings/support")
    text = (f"{asked.operator_name} of support asks for access to {asked.workspace_name}, "
            f"{_extent(asked)}, for {asked.minutes} minutes.\n\nThe reason, and the way to allow less or nothing:\n"
            f"{link}\n\nNobody gets in unless an owner allows it. The request lapses after 24 hours.\n")
    for owner in await queries.owners(tx, asked.workspace_id):
        await mailer.tell(owner.email, "Support asks for access", text, name=owner.name, tx=tx)


async def mail_emergency(mailer: Mailer, tx: Transaction, granted: Grant) -> None:
    """The owners hear at once that two operators went in without asking them. Nobody can switch this mail off."""
    if not mailer.configured:
        return
    link = mailer.link(f"/w/{granted.workspace_slug}/settings/support")
    text = (f"{granted.operator_name} of support has access to {granted.workspace_name} for at most an hour, "
            f"{_extent(granted)}, confirmed by {granted.decider_name}. No owner was asked: two operators called it an "
            f"emergency.\n\nThe reason, everything that is looked at, and the button that ends it:\n{link}\n")
    for owner in await queries.owners(tx, granted.workspace_id):
        await mailer.tell(owner.email, "Support went in: an emergency", text, name=owner.name, tx=tx)


async def mail_decision(mailer: Mailer, tx: Transaction, grant: Grant, decision: str) -> None:
    """The operator hears what became of the request."""
    email = await tx.value("SELECT email FROM user WHERE id = ?", grant.operator_id)
    if not mailer.configured or email is None:
        return
    link = mailer.link("/installation/support")
    text = f"Your request for access to {grant.workspace_name} was {decision}.\n\n{link}\n"
    await mailer.tell(email, f"Support access {decision}", text, name=grant.operator_name, tx=tx)


def _extent(grant: Grant) -> str:
    does = "reading and changing" if grant.writes else "reading only"
    numbers = "numbers hidden" if grant.masked else "numbers shown"
    return f"{does}, {numbers} ({', '.join(grant.module_names)})"

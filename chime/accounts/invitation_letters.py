"""How an invitation reaches who is invited: the mail, and the link in it or on a page that is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chime.web.services import Services


def invitation_mail(link: str, workspace: str, inviter: str) -> tuple[str, str]:
    """Subject and words of the mail."""
    return "You are invited to Chime", (
        f"{inviter} invites you to the workspace “{workspace}” on Chime.\n\nAccept within three days: {link}\n\n"
        "If you do not know what this is about, you need not do anything.\n")


def link_of(services: Services, token: str) -> str:
    """The address that accepts an invitation; never made of what a request says of its host."""
    config = services.config
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    return f"{base}/invitations/{token}"

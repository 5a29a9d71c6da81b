"""What the palette shows: places at first, then whatever the typed words find."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get
from litestar.response import Response

from chime import help as help_texts
from chime import inbox
from chime.security.permissions import Permission
from chime.security.scope import viewer
from chime.web.here import Here
from chime.web.settings import shown

MOST_TYPED = 80
FEW = 6
_VIEWS = (("mine", "Mine"), ("unassigned", "Unassigned"), ("all", "Open"), ("mentions", "Mentions"),
          ("waiting", "Waiting"), ("unread", "Unread"), ("pinned", "Pinned"), ("snoozed", "Snoozed"),
          ("closed", "Resolved"))


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Somewhere to go. `hint` tells two of the same name apart."""

    words: str
    href: str
    icon: str
    hint: str = ""


@get("/w/{slug:str}/palette", opt={"permission": Permission.WORKSPACE_READ}, include_in_schema=False)
async def show_palette(here: Here) -> Response[bytes]:
    """The whole palette, or with `q` what was found on the server: the page itself filters what it has."""
    typed = here.request.query_params.get("q", "").replace("\0", "").strip()[:MOST_TYPED]
    if typed:
        return here.page("palette/_found.html", people=await _people(here, typed), helps=_helps(here, typed),
                         typed=typed, searches=here.actor.may(Permission.INBOX_READ))
    return here.page("palette/_palette.html", places=_places(here))


def _places(here: Here) -> list[Place]:
    found = []
    if here.actor.may(Permission.INBOX_READ):
        inbox_name = here.words("Inbox")
        found += [Place(words=here.words(words), href=f"{here.base}/inbox?v={view}", icon="inbox",
                        hint=inbox_name) for view, words in _VIEWS]
    if here.actor.may(Permission.ROUTING_EDIT):
        found.append(Place(words=here.words("Floor"), href=f"{here.base}/floor", icon="users-round",
                           hint=here.words("Who is there, what waits")))
    settings = here.words("Settings")
    found += [Place(words=here.words(section.words), href=f"{here.base}{section.path}", icon=section.icon,
                    hint=settings) for section in shown(here.actor.permissions)]
    account = here.words("Your account")
    found += [Place(words=here.words(words), href=href, icon=icon, hint=account) for words, href, icon in
              (("Profile", "/me", "user-round"), ("Security", "/me/security", "shield-check"),
               ("Sessions", "/me/sessions", "laptop"))]
    found.append(Place(words=here.words("Help"), href=f"{here.base}/help", icon="life-buoy"))
    found.append(Place(words=here.words("Errors of WhatsApp"), href=f"{here.base}/help/errors", icon="circle-alert",
                       hint=here.words("Help")))
    return found


async def _people(here: Here, typed: str) -> list[Any]:
    """By name only: a number is looked for with the search, which counts and writes down such questions."""
    if not here.actor.may(Permission.INBOX_READ) or not any(letter.isalpha() for letter in typed):
        return []
    return (await inbox.people_named(here.workspace, viewer(here.actor, Permission.INBOX_READ), typed,
                                      by_number=False))[:FEW]


def _helps(here: Here, typed: str) -> list[Place]:
    return [Place(words=here.words(one.words), href=f"{here.base}/help/{one.key}", icon=one.icon,
                  hint=here.words("Help")) for one in help_texts.named(typed, here.identity.locale)][:FEW]


ROUTES = [show_palette]

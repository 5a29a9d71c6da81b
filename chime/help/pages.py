"""The pages of the help. Every page works without a script; with one, what is found appears while typing."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.response import Response

from chime.errors import NotFound
from chime.help import search
from chime.help.topics import INBOX, LOOK_UP, SETTING_UP, TOPICS, TRUST, Topic, topic
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.services import Services

READ: dict[str, Any] = {"permission": Permission.WORKSPACE_READ}
_HELP = "/w/{slug:str}/help"
MOST_TYPED = 100


def _text_of(here: Here) -> Any:
    def text(one: Topic) -> str:
        return here.services.pages.render(here.request, one.template).decode()

    return text


def _typed(here: Here) -> str:
    return here.request.query_params.get("q", "")[:MOST_TYPED]


@get(_HELP, opt=READ, include_in_schema=False)
async def show_help(here: Here) -> Response[bytes]:
    """The topics, or what was found."""
    typed, language = _typed(here), here.identity.locale
    groups = ((INBOX, here.words("In the inbox")), (SETTING_UP, here.words("Setting up")),
              (TRUST, here.words("Data and trust")), (LOOK_UP, here.words("To look up")))
    asked = bool(search.words_of(typed))
    return here.page(
        "help/_found.html" if here.is_htmx else "help/index.html", typed=typed, asked=asked,
        groups=[(words, [one for one in TOPICS if one.group == key]) for key, words in groups],
        topics=search.find_topics(typed, language, _text_of(here)) if asked else [],
        errors=search.find_errors(typed, language)[:search.MOST] if asked else [])


@get(_HELP + "/errors", opt=READ, include_in_schema=False)
async def list_error_codes(here: Here) -> Response[bytes]:
    """Every error of Meta's in plain words."""
    typed = _typed(here)
    return here.page("help/_errors.html" if here.is_htmx else "help/errors.html", typed=typed,
                     errors=search.find_errors(typed, here.identity.locale))


@get(_HELP + "/{topic_key:str}", opt=READ, include_in_schema=False)
async def show_help_topic(here: Here, topic_key: str) -> Response[bytes]:
    found = topic(topic_key)
    if found is None:
        raise NotFound("There is no such help page.")
    place = TOPICS.index(found)
    return here.page("help/topic.html", topic=found, before=TOPICS[place - 1] if place else None,
                     after=TOPICS[place + 1] if place + 1 < len(TOPICS) else None)


@get("/w/{slug:str}/keys", opt=READ, include_in_schema=False)
async def show_keys(here: Here) -> Response[bytes]:
    """The sheet of keyboard shortcuts, for the script that opens it."""
    return here.page("layout/_keys.html")


@get("/keys", opt={"permission": Permission.SESSION}, include_in_schema=False)
async def show_keys_outside(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The same, for the pages of a person that belong to no workspace."""
    return Services.of(request).pages.answer(request, "layout/_keys.html")


ROUTES = [show_help, list_error_codes, show_help_topic, show_keys, show_keys_outside]

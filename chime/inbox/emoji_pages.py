"""The emoji picker of whoever may write: its words in the reader's language, and the few emoji that show when the list
of all cannot be fetched. emoji.js fetches it when it is first opened and fills it from `static/emoji/`."""

from __future__ import annotations

from litestar import get
from litestar.response import Response

from chime.inbox.pages import REPLY
from chime.web.here import Here


@get("/w/{slug:str}/inbox/emoji", opt=REPLY)
async def show_emoji(here: Here) -> Response[bytes]:
    return here.page("inbox/_emoji.html")


ROUTES = [show_emoji]

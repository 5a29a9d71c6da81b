"""What Meta says of a number's connection, and trying credentials before anything relies on them.

It holds no transaction and stores nothing. What Meta says is told in our words; of a credential nothing is told. None
of these calls costs money: no message is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from chime.channels.model import Channel
from chime.channels.queries import OurApp
from chime.channels.readings import about_account, about_app, about_number, about_token, unheard
from chime.checked import Check, good, skipped, words
from chime.errors import Invalid
from chime.security.vault import Secret
from chime.whatsapp import Doubtful, GraphClient, GraphRefused, NotSent

T = TypeVar("T")
_TOKEN_LINES = ("access token", "permissions")
_NUMBER_LINES = ("number", "quality", "sending limit", "display name")
_ACCOUNT_LINES = ("webhook subscription",)
_APP_LINES = ("webhook fields", "webhook address")


async def examine(graph: GraphClient, channel: Channel, token: Secret, app: OurApp | None, *, now: int
                  ) -> AsyncIterator[Check]:
    """Every question to Meta about one number, in the order in which one would mend things. `now` is the real time."""
    if channel.is_simulated:
        yield good(words("number"), words("simulated: Meta knows nothing of it, so there is nothing to ask"))
        return
    secret = app.secret if app else None
    if app is None:
        yield skipped("access token", words("the Meta app of this number is not known here"))
    else:
        for check in await _asked(_TOKEN_LINES, graph.debug_token(token, app.app_id, app.secret),
                                  lambda found: about_token(found, app, now)):
            yield check
    found: dict[str, Any] = {}

    def number(answer: dict[str, Any]) -> list[Check]:
        found.update(answer)
        return about_number(answer)

    for check in await _asked(_NUMBER_LINES, graph.phone_number(channel.phone_number_id, token, app_secret=secret),
                              number):
        yield check
    apps: list[dict[str, Any]] = []

    def account(answer: list[dict[str, Any]]) -> list[Check]:
        apps.extend(answer)
        return about_account(answer, app)

    for check in await _asked(_ACCOUNT_LINES, graph.subscribed_apps(channel.waba_id, token, app_secret=secret),
                              account):
        yield check
    if app is not None:
        for check in await _asked(_APP_LINES, graph.subscriptions(app.app_id, app.secret),
                                  lambda answer: about_app(answer, app, number=found, apps=apps)):
            yield check


async def _asked(names: tuple[str, ...], call: Awaitable[T], about: Callable[[T], list[Check]]) -> list[Check]:
    """What an answer means, or why there is none; then the first of the lines says it and the others are open."""
    try:
        return about(await call)
    except (GraphRefused, NotSent, Doubtful) as error:
        return unheard(names, error)


async def try_token(graph: GraphClient, token: Secret, *, phone_number_id: str, waba_id: str,
                    app_secret: bytes | None) -> None:
    """Whether this token reads the number and the account: without that nobody connects a number, and no token takes
    the place of one that works. Raises Invalid naming `access_token`."""
    found = await _tried("access_token", graph.phone_number(phone_number_id, token, app_secret=app_secret))
    if str(found.get("id", phone_number_id)) != phone_number_id:
        raise Invalid.field("access_token", "This token belongs to another number.")
    await _tried("access_token", graph.subscribed_apps(waba_id, token, app_secret=app_secret))


async def try_app_secret(graph: GraphClient, token: Secret, *, app_id: str, app_secret: Secret) -> None:
    """Whether this is the secret of the app: Meta answers only to who has both. Raises Invalid naming `app_secret`."""
    await _tried("app_secret", graph.debug_token(token, app_id, app_secret.reveal().encode()))


async def _tried(field: str, call: Awaitable[T]) -> T:
    try:
        return await call
    except GraphRefused as refusal:
        raise Invalid.field(field, f"WhatsApp does not take it: {refusal.failure.title}. Nothing was changed."
                            ) from None
    except (NotSent, Doubtful):
        raise Invalid.field(field, "WhatsApp could not be asked just now. Nothing was changed; try again.") from None

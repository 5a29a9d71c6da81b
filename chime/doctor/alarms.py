"""Who is told, and how: of a number the people who may connect it, of the installation its operators.

Promises: the mail and the person's list belong to the transaction that keeps what was told, so neither is lost or comes
twice; bell and push come after it, once. Nobody is mailed a customer's word or a secret.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from chime import accounts, notifications
from chime.accounts import User
from chime.checked import filled, words
from chime.clock import Clock
from chime.db import Db
from chime.doctor.model import INSTALLATION, Turn
from chime.errors import ChimeError, NotFound, Unavailable
from chime.security.permissions import Permission
from chime.web.egress import Egress
from chime.web.language import catalogue
from chime.web.mail import Mailer
from chime.workspaces import Control, Registry, Transaction

CONNECTION = "/settings/connection"
PAGE = "/installation/doctor"
_SUBJECTS = {
    (True, False): words("Chime: something of this server is out of order"),
    (True, True): words("Chime: this server is well again"),
    (False, False): words("Chime: a WhatsApp number needs a look"),
    (False, True): words("Chime: a WhatsApp number is well again"),
}


class Told(msgspec.Struct, frozen=True):
    """Somebody who is told, and of which numbers; None for all."""

    user: User
    channels: frozenset[str] | None

    def concerns(self, turn: Turn) -> bool:
        return self.channels is None or not turn.channel_id or turn.channel_id in self.channels


class Alarms:
    """Tells people."""

    def __init__(self, control: Control, registry: Registry, mailer: Mailer, egress: Egress, clock: Clock) -> None:
        self._control = control
        self._registry = registry
        self._mailer = mailer
        self._egress = egress
        self._clock = clock

    async def write(self, tx: Transaction, workspace_id: str, turns: list[Turn], titles: dict[str, str]) -> None:
        """The mails, and for operators the list of their own account. `tx` is control's."""
        if not turns:
            return
        place, about = await self._place(tx, workspace_id)
        for told in await self._people(tx, workspace_id):
            mine = [turn for turn in turns if told.concerns(turn)]
            for is_well in sorted({turn.is_well for turn in mine}):
                of_kind = [turn for turn in mine if turn.is_well is is_well]
                if workspace_id == INSTALLATION:
                    await accounts.tell_person(
                        tx, told.user.id, "installation_well" if is_well else "installation_trouble",
                        now=self._clock.real_now(), checks=", ".join(turn.check.name for turn in of_kind))
                await self._mail(tx, told.user, of_kind, place, about, titles)

    async def _mail(self, tx: Transaction, user: User, turns: list[Turn], place: str, about: str,
                    titles: dict[str, str]) -> None:
        if not self._mailer.configured:
            return
        say = catalogue(user.locale or "en").gettext
        is_well = turns[0].is_well
        lines = [about] if about else []
        for turn in turns:
            check, title = turn.check, titles.get(turn.channel_id, "")
            lines += ["", f"{title}: {say(check.name)}" if title else say(check.name),
                      filled(say(check.said), check.values)]
            if check.advice and not is_well:
                lines.append(filled(say(check.advice), check.values))
        text = "\n".join([*lines, "", self._mailer.link(place)]) + "\n"
        with suppress(ChimeError):  # an address no mail goes to; the bell or the list has it
            await self._mailer.send(user.email, say(_SUBJECTS[place == PAGE, is_well]), text, name=user.name, tx=tx)

    async def _place(self, tx: Transaction, workspace_id: str) -> tuple[str, str]:
        """The page that says more, and the name of the workspace."""
        rows = await tx.rows("SELECT slug, name FROM workspace WHERE id = ?", workspace_id)
        return (f"/w/{rows[0][0]}{CONNECTION}", rows[0][1]) if rows else (PAGE, "")

    async def _people(self, db: Db, workspace_id: str) -> list[Told]:
        if workspace_id == INSTALLATION:
            rows = await db.rows("SELECT id FROM user WHERE is_operator AND disabled_at IS NULL")
            named: list[tuple[str, frozenset[str] | None]] = [(row[0], None) for row in rows]
        else:
            named = [(one.id or "", one.channels) for one in await accounts.member_actors(db, workspace_id)
                     if one.may(Permission.CHANNELS_CONNECT)]
        people = [(await accounts.user(db, user_id), only) for user_id, only in named]
        return [Told(user, only) for user, only in people if user is not None]

    async def ring(self, workspace_id: str, turns: list[Turn], titles: dict[str, str]) -> None:
        """Bell and push."""
        people = await self._people(self._control.db, workspace_id)
        if workspace_id == INSTALLATION:
            await self._push(people, turns)
            return
        with suppress(NotFound, Unavailable):
            async with self._registry.use(workspace_id) as workspace, workspace.ingest("doctor") as tx:
                for turn in turns:
                    kind = (notifications.Kind.CONNECTION_WELL if turn.is_well
                            else notifications.Kind.CONNECTION_TROUBLE)
                    await notifications.notify(
                        tx, [told.user.id for told in people if told.concerns(turn)], kind,
                        title=titles.get(turn.channel_id, ""), path=CONNECTION, from_chime=True)

    async def _push(self, people: list[Told], turns: list[Turn]) -> None:
        for told in people:
            say = catalogue(told.user.locale or "en").gettext
            await notifications.push_alarm(
                self._control, self._egress, told.user.id, title=say(_SUBJECTS[True, turns[0].is_well]),
                body=", ".join(say(turn.check.name) for turn in turns), url=PAGE, tag="installation",
                subject=self._mailer.contact, now=self._clock.real_now())

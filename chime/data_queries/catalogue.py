"""The views one may ask: every column with what it means, and how each looks for who sees numbers masked.

The views themselves are made by migration m0033 of the workspace's file; `members` and `teams` are given along with a
question. A name or column that stands here stays.
"""

from __future__ import annotations

import msgspec

from chime.db.questions import View


class Column(msgspec.Struct, frozen=True):
    """A column and its meaning."""

    name: str
    words: str


class Documented(msgspec.Struct, frozen=True, kw_only=True):
    """A view as the page shows it. `masked`: what stands in place of a column for who sees numbers masked."""

    name: str
    words: str
    columns: tuple[Column, ...]
    masked: dict[str, str] = {}
    is_listed: bool = False

    def view(self, *, masked: bool) -> View:
        names = tuple(column.name for column in self.columns)
        told = ", ".join(self.masked.get(name, name) if masked else name for name in names)
        return View(name=self.name, columns=names, select=f"SELECT {told} FROM main.{self.name}")


class Example(msgspec.Struct, frozen=True):
    words: str
    sql: str


# As `Phone.masked` does it: the country, and of the rest the last three digits when at least five stay hidden.
_COUNTRY = ("CASE WHEN substr(phone, 1, 1) IN ('1', '7') THEN substr(phone, 1, 1) "
            "WHEN substr(phone, 1, 2) IN ('20', '27', '30', '31', '32', '33', '34', '36', '39', '40', '41', '43', "
            "'44', '45', '46', '47', '48', '49', '51', '52', '53', '54', '55', '56', '57', '58', '60', '61', '62', "
            "'63', '64', '65', '66', '81', '82', '84', '86', '90', '91', '92', '93', '94', '95', '98') "
            "THEN substr(phone, 1, 2) ELSE substr(phone, 1, 3) END")
_MASKED_PHONE = (f"CASE WHEN phone IS NULL THEN NULL ELSE '+' || {_COUNTRY} || ' ••••• ••' "
                 f"|| substr(phone, length(phone) + 1 - max(0, min(3, length(phone) - length({_COUNTRY}) - 5)), 3) END")


def _without_digits(name: str) -> str:
    """A name, unless it holds so many digits that it may be a number."""
    return f"CASE WHEN {name} GLOB '*[0-9]*[0-9]*[0-9]*[0-9]*[0-9]*' THEN '' ELSE {name} END"


def _columns(**words: str) -> tuple[Column, ...]:
    return tuple(Column(name, meaning) for name, meaning in words.items())


CATALOGUE: tuple[Documented, ...] = (
    Documented(name="contacts", words="Everybody you know.", columns=_columns(
        id="The contact’s id", name="The name you gave them", profile_name="Their own name on WhatsApp",
        username="Their user name on WhatsApp", phone="Digits with the country code, without +; empty when hidden",
        marketing_consent="unknown, opted_in or opted_out", consent_at="When that was decided",
        owner_id="The member who looks after them (members.id)", is_blocked="1 when blocked",
        created_at="When they came to be known", updated_at="When they were last changed"),
        masked={"phone": _MASKED_PHONE, "name": _without_digits("name"),
                "profile_name": _without_digits("profile_name"), "username": _without_digits("username")}),
    Documented(name="contact_tags", words="One row for each tag of each contact.", columns=_columns(
        contact_id="contacts.id", tag="Name of the tag", tagged_at="Since when")),
    Documented(name="contact_fields", words="One row for each custom field of each contact.", columns=_columns(
        contact_id="contacts.id", field="Key of the field", value="Its value, as text"),
        masked={"value": _without_digits("value")}),
    Documented(name="conversations", words="One row for each conversation.", columns=_columns(
        id="The conversation’s id", contact_id="contacts.id", number_id="numbers.id",
        state="open, snoozed or closed", assignee_id="Who has it (members.id)", team_id="teams.id",
        reason="Why it was resolved", unread="How many messages are unread", created_at="Since when",
        last_message_at="When the newest message came or went", waiting_since="Since when the customer waits",
        due_at="When the next target is missed", closed_at="When it was resolved")),
    Documented(name="conversation_tags", words="One row for each tag of each conversation.", columns=_columns(
        conversation_id="conversations.id", tag="Name of the tag", tagged_at="Since when")),
    Documented(name="messages", words="One row for each message, without reactions.", columns=_columns(
        id="The message’s id", conversation_id="conversations.id", number_id="numbers.id", direction="in or out",
        origin="customer, agent, api and others: who made it", type="text, image, template and others",
        status="received, queued, sent, delivered, read, failed and others", text="Its words",
        author_id="The member who wrote it (members.id)", author_name="The name of who wrote it",
        at="Its place in the conversation", sent_at="When WhatsApp took it", delivered_at="When it was delivered",
        read_at="When it was read", error_code="Meta’s number of what went wrong", error="The same in words"),
        masked={"text": "NULL", "author_name": _without_digits("author_name")}),
    Documented(name="notes", words="Private notes of your team.", columns=_columns(
        id="The note’s id", conversation_id="conversations.id", author_id="members.id", author_name="Who wrote it",
        text="Its words", at="When"), masked={"text": "NULL"}),
    Documented(name="assignments", words="Who was given a conversation, and when.", columns=_columns(
        conversation_id="conversations.id", decided_by="Who gave it", assignee_id="To whom (members.id); empty: nobody",
        at="When")),
    Documented(name="quick_replies", words="Quick replies of teams and of everybody.", columns=_columns(
        id="Its id", code="What one types", title="Its title", category="Its category", scope="team or everyone",
        team_id="teams.id", text="Its words", times_used="How often it was used", last_used_at="When last"),
        masked={"text": "NULL"}),
    Documented(name="response_times", words="Outcomes of the service level: one row for each answer that had a target.",
               columns=_columns(
        conversation_id="conversations.id", number_id="numbers.id", team_id="teams.id", agent_id="members.id",
        kind="first, next or resolution", began_at="When the customer began to wait", ended_at="When it was answered",
        minutes="Working minutes it took", target_minutes="Minutes allowed", is_met="1 when within the target")),
    Documented(name="ratings", words="What customers answered when asked how it was.", columns=_columns(
        conversation_id="conversations.id", number_id="numbers.id", team_id="teams.id", agent_id="members.id",
        score="1 to 5; empty: no answer", reason="Why the conversation was resolved", closed_at="When it was resolved",
        asked_at="When they were asked", answered_at="When they answered")),
    Documented(name="numbers", words="Your WhatsApp numbers.", columns=_columns(
        id="Its id", phone="As people see it", name="Its name at WhatsApp", quality="Meta’s rating", state="Its state",
        connected_at="Since when")),
    Documented(name="members", words="Your colleagues.", columns=_columns(
        id="As in assignee_id, agent_id, author_id and owner_id", name="Their name", role="Their role"),
        is_listed=True),
    Documented(name="teams", words="Your teams.", columns=_columns(id="As in team_id", name="Its name"),
               is_listed=True),
)

EXAMPLES: tuple[Example, ...] = (
    Example("Messages a day", "SELECT date(at) AS day,\n       sum(direction = 'in') AS came_in,\n"
            "       sum(direction = 'out') AS went_out\nFROM messages\nWHERE at >= :from AND at < :to\n"
            "GROUP BY day\nORDER BY day"),
    Example("Open conversations by colleague", "SELECT coalesce(members.name, '(nobody)') AS colleague,\n"
            "       count(*) AS conversations\nFROM conversations\n"
            "LEFT JOIN members ON members.id = conversations.assignee_id\nWHERE state = 'open'\n"
            "GROUP BY colleague\nORDER BY conversations DESC"),
    Example("Contacts by tag", "SELECT tag, count(*) AS contacts\nFROM contact_tags\nGROUP BY tag\n"
            "ORDER BY contacts DESC"),
    Example("Targets met, by team", "SELECT coalesce(teams.name, '(no team)') AS team,\n       count(*) AS answers,\n"
            "       round(100.0 * sum(is_met) / count(*), 1) AS percent_in_time,\n"
            "       round(avg(minutes), 1) AS minutes\nFROM response_times\n"
            "LEFT JOIN teams ON teams.id = response_times.team_id\n"
            "WHERE ended_at >= :from AND ended_at < :to\nGROUP BY team"),
    Example("Why messages failed", "SELECT error_code, error, count(*) AS messages\nFROM messages\n"
            "WHERE status = 'failed' AND at >= :from AND at < :to\nGROUP BY error_code, error\n"
            "ORDER BY messages DESC"),
)

"""The list of help topics, in the order in which they are read."""

from __future__ import annotations

import msgspec


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One page of help. `words` and `about` are looked up in the reader's catalogue."""

    key: str
    group: str
    words: str
    about: str
    icon: str
    template: str


INBOX, SETTING_UP, TRUST, LOOK_UP = "inbox", "setting-up", "trust", "look-up"

TOPICS: tuple[Topic, ...] = (
    Topic(key="queues", template="help/topics/queues.html",
          group=INBOX, words="Views of the inbox", icon="inbox",
          about="What stands where; filters, views of your own, many at once."),
    Topic(key="window", template="help/topics/window.html",
          group=INBOX, words="The 24-hour reply window", icon="clock",
          about="When you may write freely, and when only templates go out."),
    Topic(key="writing", template="help/topics/writing.html",
          group=INBOX, words="Writing and sending", icon="send",
          about="Files, voice notes, emoji, formatting, ticks, and what to do when a message failed."),
    Topic(key="templates", template="help/topics/templates.html",
          group=INBOX, words="Templates", icon="layout-template",
          about="Texts that Meta approved; the only way to write first."),
    Topic(key="quick-replies", template="help/topics/quick-replies.html",
          group=INBOX, words="Quick replies", icon="zap",
          about="Texts and files at hand with a slash."),
    Topic(key="together", template="help/topics/together.html",
          group=INBOX, words="Working together", icon="users-round",
          about="Assigning, private notes, mentions, and who else is here."),
    Topic(key="later", template="help/topics/later.html",
          group=INBOX, words="Now, later, again", icon="alarm-clock",
          about="Snooze, reminders, sending later, undo."),
    Topic(key="search", template="help/topics/search.html",
          group=INBOX, words="Finding things", icon="search",
          about="Every message and every person, by a word or its beginning."),
    Topic(key="people", template="help/topics/people.html",
          group=INBOX, words="Customers", icon="user-round",
          about="Names, tags, consent to marketing, and people without a phone number."),
    Topic(key="doubt", template="help/topics/doubt.html",
          group=INBOX, words="Messages in doubt", icon="triangle-alert",
          about="When nobody knows whether a message went out."),
    Topic(key="notifications", template="help/topics/notifications.html",
          group=INBOX, words="Notifications", icon="bell",
          about="The bell, sounds, desktop, phone and mail, and quiet hours."),
    Topic(key="connecting", template="help/topics/connecting.html",
          group=SETTING_UP, words="Connecting a number", icon="smartphone",
          about="What you need from Meta, and how to see that it works."),
    Topic(key="members", template="help/topics/members.html",
          group=SETTING_UP, words="Members, roles and teams", icon="network",
          about="Who works here and what each may see and do."),
    Topic(key="assignment", template="help/topics/assignment.html",
          group=SETTING_UP, words="Giving out conversations", icon="user-plus",
          about="Who gets the next one, availability and limits."),
    Topic(key="service", template="help/topics/service.html",
          group=SETTING_UP, words="Hours, targets and ratings", icon="clock",
          about="When you work, how soon customers are answered, how content they were."),
    Topic(key="prices", template="help/topics/prices.html",
          group=SETTING_UP, words="Prices", icon="receipt",
          about="What a message costs, where the amounts come from, and what is free."),
    Topic(key="api", template="help/topics/api.html",
          group=SETTING_UP, words="Scripts and the API", icon="key-round",
          about="Keys, limits, and where everything is described."),
    Topic(key="privacy", template="help/topics/privacy.html",
          group=TRUST, words="Hidden numbers", icon="eye-off",
          about="Who sees a phone number, and how it is shown when needed."),
    Topic(key="records", template="help/topics/records.html",
          group=TRUST, words="The audit log", icon="scroll-text",
          about="What is written down, and how to check that nobody changed it."),
    Topic(key="data", template="help/topics/data.html",
          group=TRUST, words="Exports, erasure and retention", icon="user-minus",
          about="Taking data along, forgetting a person, and how long things are kept."),
    Topic(key="backups", template="help/topics/backups.html",
          group=TRUST, words="Backups", icon="history",
          about="Going back to an earlier moment, and the workspace as one file."),
    Topic(key="glossary", template="help/topics/glossary.html",
          group=LOOK_UP, words="Words used here", icon="book-open",
          about="What we mean by conversation, queue, window, template and the rest."),
)
_BY_KEY = {one.key: one for one in TOPICS}


def topic(key: str) -> Topic | None:
    return _BY_KEY.get(key)

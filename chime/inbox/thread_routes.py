"""Every page around an open conversation beside its messages: search in it, pins, cards, pictures, the contact panel
with its files, timeline and merging, the emoji picker, reminders, who is where; and the settings of conversations and
tags."""

from __future__ import annotations

from chime.inbox import (
    card_pages,
    contact_pages,
    conversation_settings_pages,
    cost_pages,
    emoji_pages,
    gallery_pages,
    merge_pages,
    message_pin_pages,
    presence_pages,
    reminder_pages,
    tag_pages,
    thread_search_pages,
    timeline_pages,
)

ROUTES = [*message_pin_pages.ROUTES, *card_pages.ROUTES, *thread_search_pages.ROUTES, *gallery_pages.ROUTES,
          *contact_pages.ROUTES, *cost_pages.ROUTES, *merge_pages.ROUTES, *timeline_pages.ROUTES,
          *conversation_settings_pages.ROUTES, *tag_pages.ROUTES, *emoji_pages.ROUTES, *reminder_pages.ROUTES,
          *presence_pages.ROUTES]

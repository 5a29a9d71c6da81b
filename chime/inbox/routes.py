"""The routes of the inbox, by what they are about."""

from __future__ import annotations

from chime.inbox import (
    api,
    bulk_pages,
    doubt_pages,
    filter_pages,
    media_pages,
    message_pages,
    note_pages,
    pages,
    queue_pages,
    saved_view_pages,
    scheduled_edit_pages,
    scheduled_pages,
    thread_routes,
)

CONVERSATIONS = pages.ROUTES
MESSAGES = message_pages.ROUTES
DOUBTS = doubt_pages.ROUTES
QUEUES = queue_pages.ROUTES
VIEWS = [*filter_pages.ROUTES, *saved_view_pages.ROUTES, *bulk_pages.ROUTES]
NOTES = note_pages.ROUTES
LATER = [*scheduled_pages.ROUTES, *scheduled_edit_pages.ROUTES]
FILES = media_pages.ROUTES
AROUND = thread_routes.ROUTES
API = api.ROUTES

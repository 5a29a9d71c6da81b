"""Every address of notifications: the bell, a person's choices and devices, the installed app; the same for scripts."""

from __future__ import annotations

from chime.notifications import api, app_pages, me_pages, pages

PAGES = [*pages.ROUTES, *me_pages.ROUTES, *app_pages.ROUTES]
API = api.ROUTES

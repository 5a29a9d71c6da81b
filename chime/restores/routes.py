"""Every page of restores."""

from chime.restores import held_pages, pages

ROUTES = [*pages.ROUTES, *held_pages.ROUTES]

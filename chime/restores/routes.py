"""Every page of restores."""

from chime.restores import held_pages, pages, people_pages

ROUTES = [*pages.ROUTES, *people_pages.ROUTES, *held_pages.ROUTES]

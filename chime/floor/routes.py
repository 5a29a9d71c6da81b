"""Its page, and the same facts for scripts."""

from chime.floor import api, pages

ROUTES = [*pages.ROUTES, *api.ROUTES]

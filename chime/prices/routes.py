"""Everything of prices that people and scripts can reach; what a message costs is asked through its conversation."""

from __future__ import annotations

from chime.prices import api, pages

PAGES = pages.ROUTES
API = api.ROUTES

"""The routes of accounts, by what they are about."""

from __future__ import annotations

from chime.accounts import (
    api_key_api,
    api_key_pages,
    group_role_pages,
    invitation_pages,
    key_pages,
    me_pages,
    member_account_pages,
    member_api,
    member_pages,
    oidc_me_pages,
    oidc_pages,
    pages,
    proof_pages,
    reset_pages,
    role_pages,
    second_factor_pages,
    security_pages,
    session_pages,
    settings_pages,
    sign_in_pages,
    team_pages,
    workspace_erasure_pages,
)

SIGN_IN = [*pages.ROUTES, *sign_in_pages.ROUTES, *reset_pages.ROUTES]
OWN_PAGES = [*me_pages.ROUTES, *security_pages.ROUTES, *second_factor_pages.ROUTES, *session_pages.ROUTES,
             *proof_pages.ROUTES]
PROVIDER = [*oidc_pages.ROUTES, *oidc_me_pages.ROUTES, *group_role_pages.ROUTES]
WORKSPACE_SETTINGS = settings_pages.ROUTES
MEMBERS = [*member_pages.ROUTES, *member_account_pages.ROUTES, *invitation_pages.ROUTES]
TEAMS = [*team_pages.ROUTES, *role_pages.ROUTES]
API_KEYS = api_key_pages.ROUTES
WORKSPACE_ERASURE = workspace_erasure_pages.ROUTES
INSTALLATION_KEYS = key_pages.ROUTES
MEMBER_API = member_api.ROUTES
API_KEY_API = api_key_api.ROUTES

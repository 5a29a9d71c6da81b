"""Accounts: people, their membership in workspaces, their sessions, and the API keys of scripts.

A session's secret and an API key are stored as hashes only. A person's rights in a workspace come from the membership
row read in that very request.
"""

from chime.accounts.actions import add_member, create_api_key, create_user, end_session, sign_in
from chime.accounts.authenticate import by_api_key, by_session
from chime.accounts.model import Member, NewKey, User
from chime.accounts.queries import members, user_by_email, workspaces_of

__all__ = ["Member", "NewKey", "User", "add_member", "by_api_key", "by_session", "create_api_key", "create_user",
           "end_session", "members", "sign_in", "user_by_email", "workspaces_of"]

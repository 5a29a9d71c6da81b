"""Accounts: people, their membership in workspaces, their sessions, and the API keys of scripts.

A session's secret and an API key are stored as hashes only. A person's rights in a workspace come from the membership
row read in that very request.
"""

from chime.accounts.actions import add_member, create_user
from chime.accounts.api_keys import create_api_key
from chime.accounts.authenticate import actor_again, by_api_key, by_session, cookie_name, key_actor
from chime.accounts.authority import member_actor
from chime.accounts.device_words import device_words, is_handheld
from chime.accounts.invitation_letters import invitation_mail, link_of
from chime.accounts.invitations import Made, invite_first_owner
from chime.accounts.member_actors import member_actors
from chime.accounts.member_queries import Team
from chime.accounts.member_queries import teams as all_teams
from chime.accounts.model import EVERYBODY, QUEUE, ROUTE, UNASSIGN, Member, NewKey, User, check_email, check_name
from chime.accounts.notices import tell as tell_person
from chime.accounts.notices import unseen as unseen_notices
from chime.accounts.queries import (
    active_ids,
    member_ids,
    members,
    team_ids,
    team_names,
    user,
    user_by_email,
    workspaces_of,
)
from chime.accounts.requesters import (
    Holder,
    Requester,
    actor_of_requester,
    exports_need_approval,
    holders,
    requester_of,
)
from chime.accounts.sessions import end_session, end_sessions_of, sign_in
from chime.accounts.workspace_settings import time_zones

__all__ = [
    "EVERYBODY",
    "QUEUE",
    "ROUTE",
    "UNASSIGN",
    "Holder",
    "Made",
    "Member",
    "NewKey",
    "Requester",
    "Team",
    "User",
    "active_ids",
    "actor_again",
    "actor_of_requester",
    "add_member",
    "all_teams",
    "by_api_key",
    "by_session",
    "check_email",
    "check_name",
    "cookie_name",
    "create_api_key",
    "create_user",
    "device_words",
    "end_session",
    "end_sessions_of",
    "exports_need_approval",
    "holders",
    "invitation_mail",
    "invite_first_owner",
    "is_handheld",
    "key_actor",
    "link_of",
    "member_actor",
    "member_actors",
    "member_ids",
    "members",
    "requester_of",
    "sign_in",
    "team_ids",
    "team_names",
    "tell_person",
    "time_zones",
    "unseen_notices",
    "user",
    "user_by_email",
    "workspaces_of",
]

"""What a membership may reach: its state, custom roles, teams, numbers, switched-off modules; a workspace's policy."""

from sqlite_utils import Database


def apply(db: Database) -> None:
    db.executescript("""
    CREATE TABLE custom_role (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        name TEXT NOT NULL COLLATE NOCASE,
        grants_json TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        UNIQUE (workspace_id, name)
    ) STRICT;

    -- Only `active` members may do anything. `role` is a built-in one, or the id of a custom role.
    ALTER TABLE membership ADD COLUMN state TEXT NOT NULL DEFAULT 'active'
        CHECK (state IN ('active', 'suspended', 'unconfirmed'));
    -- Modules with commas that a switch took away; ids of the only channels they see, NULL for all.
    ALTER TABLE membership ADD COLUMN modules_off TEXT NOT NULL DEFAULT '';
    ALTER TABLE membership ADD COLUMN channels_json TEXT;
    -- Numbers masked whatever the role says.
    ALTER TABLE membership ADD COLUMN masked INTEGER NOT NULL DEFAULT 0;

    -- Two admins who demote each other at once, or a bug: a workspace never loses its last owner.
    CREATE TRIGGER membership_keeps_an_owner_update BEFORE UPDATE OF role, state ON membership
        WHEN OLD.role = 'owner' AND OLD.state = 'active' AND (NEW.role <> 'owner' OR NEW.state <> 'active')
        AND NOT EXISTS (SELECT 1 FROM membership WHERE workspace_id = OLD.workspace_id AND user_id <> OLD.user_id
                        AND role = 'owner' AND state = 'active')
    BEGIN SELECT RAISE(ABORT, 'the last owner'); END;
    CREATE TRIGGER membership_keeps_an_owner_delete BEFORE DELETE ON membership
        WHEN OLD.role = 'owner' AND OLD.state = 'active'
        AND NOT EXISTS (SELECT 1 FROM membership WHERE workspace_id = OLD.workspace_id AND user_id <> OLD.user_id
                        AND role = 'owner' AND state = 'active')
    BEGIN SELECT RAISE(ABORT, 'the last owner'); END;

    CREATE TABLE team (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspace(id),
        name TEXT NOT NULL COLLATE NOCASE,
        created_at INTEGER NOT NULL,
        UNIQUE (workspace_id, name)
    ) STRICT;

    CREATE TABLE team_member (
        team_id TEXT NOT NULL REFERENCES team(id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES user(id),
        PRIMARY KEY (team_id, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX team_member_user ON team_member(user_id);

    CREATE TABLE workspace_policy (
        workspace_id TEXT PRIMARY KEY REFERENCES workspace(id),
        policy_json TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- A key belongs to the membership of who made it and dies with it; NULL for one made at the shell.
    ALTER TABLE api_key ADD COLUMN made_by TEXT REFERENCES user(id);
    """)

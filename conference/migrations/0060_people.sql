-- Administration of users, keys for machines, login by an identity provider, and invitations of many to many.

-- Enabled and enrolled are two facts (I83): an administrator switches the one, the user's own password the other.
ALTER TABLE users ADD COLUMN enrolled_at INTEGER;
ALTER TABLE users ADD COLUMN generic_id TEXT;
-- What is typed at login where another tenant already uses that name; `login` is then made unique by a suffix.
ALTER TABLE users ADD COLUMN login_name TEXT;
-- Who the user is for the identity provider: issuer and subject.
ALTER TABLE users ADD COLUMN oidc_subject TEXT;
-- The names folded for searching, and the text they were folded from: where the two no longer fit, whoever searches
-- folds anew.
ALTER TABLE users ADD COLUMN search TEXT;
ALTER TABLE users ADD COLUMN search_of TEXT;
UPDATE users SET enrolled_at = created_at;
CREATE INDEX users_in_order ON users (tenant_id, (extension IS NULL), extension, display_name, id);
CREATE INDEX users_by_login_name ON users (login_name);
CREATE UNIQUE INDEX users_by_oidc_subject ON users (oidc_subject);

ALTER TABLE user_addresses ADD COLUMN verified_at INTEGER;

ALTER TABLE meetings ADD COLUMN search TEXT;
ALTER TABLE meetings ADD COLUMN search_of TEXT;

CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id);

-- Links that are used once: to enrol.
CREATE TABLE user_tokens (
    token_hash TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    user_id    TEXT NOT NULL REFERENCES users (id),
    purpose    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX user_tokens_by_user ON user_tokens (tenant_id, user_id);

-- A session admin asks for somebody to be added; a tenant admin decides (B35).
CREATE TABLE user_requests (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    requested_by TEXT NOT NULL REFERENCES users (id),
    target       TEXT NOT NULL,
    target_kind  TEXT NOT NULL CHECK (target_kind IN ('email', 'number')),
    first        TEXT,
    last         TEXT,
    note         TEXT,
    state        TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'declined')),
    decided_by   TEXT REFERENCES users (id),
    decided_at   INTEGER,
    user_id      TEXT REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX user_requests_in_order ON user_requests (tenant_id, created_at, id);

-- Keys of machines, as SHA-256 only.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    user_id      TEXT NOT NULL REFERENCES users (id),
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    key_hash     TEXT NOT NULL UNIQUE,
    hint         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX api_keys_in_order ON api_keys (tenant_id, created_at, id);

-- Logins under way at the identity provider.
CREATE TABLE oidc_logins (
    state_hash TEXT PRIMARY KEY,
    verifier   TEXT NOT NULL,
    nonce      TEXT NOT NULL,
    return_to  TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- One request of users x sessions: written before the first pair is done, so that a restart goes on with it.
CREATE TABLE bulk_invites (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    actor_id    TEXT NOT NULL REFERENCES users (id),
    access      TEXT NOT NULL CHECK (access IN ('collaborate', 'view_only')),
    request     TEXT NOT NULL,
    users       INTEGER NOT NULL,
    sessions    INTEGER NOT NULL,
    done        INTEGER NOT NULL DEFAULT 0,
    counts      TEXT NOT NULL DEFAULT '{}',
    -- Users who have been sent their one message, in the order of their identifiers.
    notified    INTEGER NOT NULL DEFAULT 0,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX bulk_invites_in_order ON bulk_invites (tenant_id, created_at, id);
CREATE INDEX bulk_invites_running ON bulk_invites (state) WHERE state = 'running';

-- One row per pair, in the order of the request: session by session.
CREATE TABLE bulk_results (
    bulk_id    TEXT NOT NULL REFERENCES bulk_invites (id),
    position   INTEGER NOT NULL,
    meeting_id TEXT NOT NULL,
    target     TEXT NOT NULL,
    user_id    TEXT,
    person_id  TEXT,
    outcome    TEXT NOT NULL,
    PRIMARY KEY (bulk_id, position)
) STRICT;

-- The first slice: tenants, users, devices, trunks, meetings, people, calls.
--
-- Times are milliseconds since the Unix epoch. Words (role, state, cause ...) are the ones of the API.
-- Secrets: passwords as argon2id, device secrets as digest HA1, tokens as SHA-256. Trunk passwords stay in the
-- configuration; join links are derived from a key outside the database, only their hash is here.

CREATE TABLE tenants (
    id                   TEXT PRIMARY KEY,
    name                 TEXT NOT NULL UNIQUE,
    domain               TEXT NOT NULL UNIQUE,
    phone_address_domain TEXT,
    country              TEXT NOT NULL,
    area_code            TEXT,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    tenant_id     TEXT NOT NULL REFERENCES tenants (id),
    login         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    first         TEXT NOT NULL,
    last          TEXT NOT NULL,
    display_name  TEXT NOT NULL,
    extension     TEXT,
    area_code     TEXT,
    tenant_role   TEXT NOT NULL CHECK (tenant_role IN ('guest', 'user', 'session_admin', 'tenant_admin')),
    enabled       INTEGER NOT NULL DEFAULT 1,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (tenant_id, extension)
) STRICT;

CREATE TABLE user_addresses (
    id                    TEXT PRIMARY KEY,
    tenant_id             TEXT NOT NULL REFERENCES tenants (id),
    user_id               TEXT NOT NULL REFERENCES users (id),
    kind                  TEXT NOT NULL CHECK (kind IN ('mail', 'phone')),
    value                 TEXT NOT NULL,
    is_invitation_address INTEGER NOT NULL DEFAULT 0,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    UNIQUE (tenant_id, kind, value)
) STRICT;
CREATE INDEX user_addresses_by_user ON user_addresses (tenant_id, user_id);

-- Numbers the tenant owns; a caller ID must be one of them (D34).
CREATE TABLE numbers (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    e164        TEXT NOT NULL UNIQUE,
    purpose     TEXT NOT NULL CHECK (purpose IN ('did', 'dial_in', 'caller_id')),
    user_id     TEXT REFERENCES users (id),
    verified_at INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE caller_ids (
    user_id      TEXT PRIMARY KEY REFERENCES users (id),
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    number_id    TEXT NOT NULL REFERENCES numbers (id),
    display_name TEXT NOT NULL,
    hidden       INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

-- A device is one address of record: sip:<name>@<realm>.
CREATE TABLE devices (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    user_id    TEXT NOT NULL REFERENCES users (id),
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    realm      TEXT NOT NULL,
    ha1_md5    TEXT NOT NULL,
    ha1_sha256 TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant_id, name),
    UNIQUE (realm, name)
) STRICT;
CREATE INDEX devices_by_user ON devices (tenant_id, user_id);

-- Bindings survive a restart: phones do not register again only because we did (I94).
CREATE TABLE registrations (
    aor        TEXT NOT NULL,
    contact    TEXT NOT NULL,
    source     TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    call_id    TEXT NOT NULL,
    cseq       INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (aor, contact)
) STRICT;

CREATE TABLE trunks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    host       TEXT NOT NULL,
    peer       TEXT NOT NULL,
    sources    TEXT NOT NULL,
    auth_user  TEXT,
    auth_realm TEXT,
    register   INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant_id, name)
) STRICT;

CREATE TABLE blocked_numbers (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    e164       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    source     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant_id, e164)
) STRICT;

CREATE TABLE meetings (
    id               TEXT PRIMARY KEY,
    tenant_id        TEXT NOT NULL REFERENCES tenants (id),
    owner_id         TEXT REFERENCES users (id),
    kind             TEXT NOT NULL CHECK (kind IN ('conference', 'presentation')),
    title            TEXT NOT NULL,
    number           TEXT NOT NULL UNIQUE,
    alias            TEXT,
    default_role     TEXT NOT NULL,
    direct_join_role TEXT NOT NULL,
    link_hash        TEXT NOT NULL UNIQUE,
    state            TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    started_at       INTEGER,
    ended_at         INTEGER,
    UNIQUE (tenant_id, alias)
) STRICT;
CREATE INDEX meetings_by_owner ON meetings (tenant_id, owner_id);

CREATE TABLE people (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    meeting_id   TEXT NOT NULL REFERENCES meetings (id),
    user_id      TEXT REFERENCES users (id),
    mail         TEXT,
    e164         TEXT,
    display_name TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('host', 'presenter', 'attendee')),
    access       TEXT NOT NULL CHECK (access IN ('collaborate', 'view_only')),
    invited_by   TEXT REFERENCES users (id),
    source       TEXT NOT NULL,
    link_hash    TEXT NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    removed_at   INTEGER,
    -- VIEW ONLY wins over the role and a Host cannot have it (I78).
    CHECK (NOT (role = 'host' AND access = 'view_only'))
) STRICT;
-- One row per identity per meeting, removed people included: inviting again revives the row.
CREATE UNIQUE INDEX people_by_user ON people (meeting_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX people_by_mail ON people (meeting_id, mail) WHERE mail IS NOT NULL;
CREATE UNIQUE INDEX people_by_number ON people (meeting_id, e164) WHERE e164 IS NOT NULL AND user_id IS NULL;

-- One row per attempt, written before anything is sent (intent before action).
CREATE TABLE calls (
    id             TEXT PRIMARY KEY,
    tenant_id      TEXT NOT NULL REFERENCES tenants (id),
    meeting_id     TEXT NOT NULL REFERENCES meetings (id),
    person_id      TEXT REFERENCES people (id),
    acting_host_id TEXT NOT NULL REFERENCES users (id),
    retry_of       TEXT REFERENCES calls (id),
    target_kind    TEXT NOT NULL CHECK (target_kind IN ('device', 'number')),
    target         TEXT NOT NULL,
    user_id        TEXT REFERENCES users (id),
    device         TEXT,
    number         TEXT,
    display_name   TEXT NOT NULL,
    role           TEXT NOT NULL,
    access         TEXT NOT NULL,
    caller_number  TEXT,
    caller_name    TEXT,
    caller_hidden  INTEGER NOT NULL DEFAULT 0,
    sip_call_id    TEXT NOT NULL UNIQUE,
    state          TEXT NOT NULL,
    cause          TEXT,
    sip_code       INTEGER,
    detail         TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    answered_at    INTEGER,
    ended_at       INTEGER
) STRICT;
CREATE INDEX calls_by_meeting ON calls (tenant_id, meeting_id, created_at);
CREATE INDEX calls_in_flight ON calls (state) WHERE state NOT IN ('ended', 'failed', 'refused', 'cancelled');

-- Append only.
CREATE TABLE call_events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL REFERENCES calls (id),
    at        INTEGER NOT NULL,
    state     TEXT NOT NULL,
    cause     TEXT,
    sip_code  INTEGER,
    detail    TEXT
) STRICT;
CREATE INDEX call_events_by_call ON call_events (call_id, id);
CREATE TRIGGER call_events_are_not_changed BEFORE UPDATE ON call_events
BEGIN SELECT RAISE(ABORT, 'call_events is append only'); END;

-- Who was in which meeting and when. Append only.
CREATE TABLE attendance (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    meeting_id TEXT NOT NULL REFERENCES meetings (id),
    person_id  TEXT NOT NULL,
    at         INTEGER NOT NULL,
    what       TEXT NOT NULL CHECK (what IN ('joined', 'left')),
    leg_kind   TEXT
) STRICT;
CREATE INDEX attendance_by_meeting ON attendance (meeting_id, id);

-- Login tokens and participant tokens, as SHA-256 only.
CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    user_id    TEXT REFERENCES users (id),
    meeting_id TEXT REFERENCES meetings (id),
    person_id  TEXT REFERENCES people (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CHECK ((user_id IS NULL) = (person_id IS NOT NULL))
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- The answer already given to a request with this key (D39).
CREATE TABLE idempotency_keys (
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    user_id      TEXT NOT NULL REFERENCES users (id),
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    response     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, user_id, key)
) STRICT;

-- One value per name, such as the check value of the link key.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

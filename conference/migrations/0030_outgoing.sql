-- What is sent out: one table for mails and webhook deliveries, written in the transaction of the act that causes them.
--
-- Rows of one lane leave in the order of their position, one at a time. `payload` of a mail is sealed: it holds a personal
-- link. It is emptied when the mail is sent.
CREATE TABLE outbox (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    tenant_id       TEXT NOT NULL REFERENCES tenants (id),
    channel         TEXT NOT NULL CHECK (channel IN ('mail', 'webhook')),
    destination     TEXT NOT NULL,
    lane            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    kind            TEXT NOT NULL,
    meeting_id      TEXT,
    recipient       TEXT NOT NULL,
    payload         TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'superseded')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    -- Set before the first attempt: from then on it may have arrived.
    taken_at        INTEGER,
    next_attempt_at INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    code            INTEGER,
    error           TEXT,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    finished_at     INTEGER
) STRICT;
CREATE INDEX outbox_due ON outbox (channel, next_attempt_at) WHERE state = 'queued';
CREATE INDEX outbox_lanes ON outbox (lane, position) WHERE state = 'queued';
CREATE INDEX outbox_by_destination ON outbox (destination, position);
CREATE INDEX outbox_by_subject ON outbox (subject, position);
CREATE INDEX outbox_by_tenant ON outbox (tenant_id, state, position);

-- One row per person of a meeting who was to be told of it.
CREATE TABLE invitations (
    id          TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id),
    meeting_id  TEXT NOT NULL REFERENCES meetings (id),
    person_id   TEXT NOT NULL UNIQUE REFERENCES people (id),
    address     TEXT,
    method      TEXT NOT NULL CHECK (method IN ('request', 'cancel')),
    status      TEXT NOT NULL CHECK (status IN ('queued', 'sent', 'failed', 'no_address', 'cancelled')),
    sequence    INTEGER NOT NULL DEFAULT 0,
    error       TEXT,
    rsvp        TEXT CHECK (rsvp IN ('accepted', 'tentative', 'declined')),
    rsvp_at     INTEGER,
    reminded_at INTEGER,
    queued_at   INTEGER NOT NULL,
    sent_at     INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX invitations_by_meeting ON invitations (tenant_id, meeting_id);

CREATE TABLE webhooks (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    url          TEXT NOT NULL,
    description  TEXT NOT NULL,
    -- A JSON list of kinds (`call.joined`) and groups (`call.*`); empty for all.
    events       TEXT NOT NULL,
    enabled      INTEGER NOT NULL DEFAULT 1,
    -- Sealed.
    secret       TEXT NOT NULL,
    created_by   TEXT,
    dropped      INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_by_tenant ON webhooks (tenant_id, enabled);

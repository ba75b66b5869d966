-- What is written down of meetings and calls: instances, one record per leg, and who writes.

-- A process that writes records: how far it has come, so that nothing is written twice when an answer is lost, and when
-- it was last alive, so that what it left open can be closed.
CREATE TABLE record_writers (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    position INTEGER NOT NULL,
    alive_at INTEGER NOT NULL
) STRICT;

-- One row each time a meeting is held.
CREATE TABLE meeting_instances (
    id         TEXT PRIMARY KEY,
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    meeting_id TEXT NOT NULL REFERENCES meetings (id),
    started_at INTEGER NOT NULL,
    active_at  INTEGER,
    ended_at   INTEGER,
    peak       INTEGER NOT NULL DEFAULT 0,
    -- Its end was found at the next start: the process had died.
    lost       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX meeting_instances_by_meeting ON meeting_instances (meeting_id, started_at);
CREATE INDEX meeting_instances_open ON meeting_instances (started_at) WHERE ended_at IS NULL;

-- Legs that are up: what a crash leaves here becomes a record at the next start.
CREATE TABLE open_legs (
    id        TEXT PRIMARY KEY,
    writer_id INTEGER NOT NULL,
    record    TEXT NOT NULL,
    at        INTEGER NOT NULL
) STRICT;

-- One record per leg, written when it is over.
CREATE TABLE cdrs (
    id               TEXT PRIMARY KEY,
    tenant_id        TEXT NOT NULL REFERENCES tenants (id),
    meeting_id       TEXT NOT NULL REFERENCES meetings (id),
    instance_id      TEXT,
    call_id          TEXT,
    person_id        TEXT NOT NULL,
    user_id          TEXT,
    display_name     TEXT NOT NULL,
    role             TEXT NOT NULL,
    access           TEXT NOT NULL,
    leg_kind         TEXT NOT NULL,
    direction        TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    acting_host_id   TEXT,
    from_text        TEXT,
    to_text          TEXT,
    device           TEXT,
    trunk_id         INTEGER,
    sip_call_id      TEXT,
    started_at       INTEGER NOT NULL,
    ringing_at       INTEGER,
    answered_at      INTEGER,
    joined_at        INTEGER,
    ended_at         INTEGER NOT NULL,
    cause            TEXT,
    sip_code         INTEGER,
    codec            TEXT,
    received_packets INTEGER,
    sent_packets     INTEGER,
    lost_packets     INTEGER,
    loss_ppm         INTEGER,
    jitter_us        INTEGER,
    round_trip_us    INTEGER,
    mos_in           INTEGER,
    mos_out          INTEGER
) STRICT;
CREATE INDEX cdrs_by_tenant ON cdrs (tenant_id, started_at, id);
CREATE INDEX cdrs_by_meeting ON cdrs (meeting_id, started_at, id);
CREATE INDEX cdrs_by_call ON cdrs (tenant_id, call_id) WHERE call_id IS NOT NULL;
CREATE INDEX cdrs_by_person ON cdrs (tenant_id, person_id);

-- Who came and went, as they were then: the list of people changes afterwards.
ALTER TABLE attendance ADD COLUMN instance_id TEXT;
ALTER TABLE attendance ADD COLUMN user_id TEXT;
ALTER TABLE attendance ADD COLUMN display_name TEXT;
ALTER TABLE attendance ADD COLUMN role TEXT;
ALTER TABLE attendance ADD COLUMN access TEXT;
CREATE INDEX attendance_by_instance ON attendance (instance_id, id);

-- Lists in pages, newest first.
CREATE INDEX people_of_meeting ON people (meeting_id, created_at, position);
CREATE INDEX users_by_name ON users (tenant_id, display_name, id);
CREATE INDEX numbers_by_user ON numbers (user_id);
CREATE INDEX calls_of_tenant_by_time ON calls (tenant_id, created_at);
CREATE INDEX calls_of_host_by_time ON calls (tenant_id, acting_host_id, created_at);

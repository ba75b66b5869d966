-- The SIP messages of a call that is over, without secrets, as JSON; swept after a few days.
CREATE TABLE call_ladders (
    call_id   TEXT PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    ladder    TEXT NOT NULL,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX call_ladders_by_age ON call_ladders (tenant_id, at);

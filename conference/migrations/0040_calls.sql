-- What a call's row tells: why it was made, what was confirmed, what it costs, when it rang, what the carrier said;
-- and which calls are to be made again.

-- call, call_me, again, reconnect
ALTER TABLE calls ADD COLUMN purpose TEXT NOT NULL DEFAULT 'call';
-- ISO 3166, of outside numbers.
ALTER TABLE calls ADD COLUMN country TEXT;
ALTER TABLE calls ADD COLUMN price_class TEXT;
-- A minute, in thousandths of the currency's unit.
ALTER TABLE calls ADD COLUMN price_milli INTEGER NOT NULL DEFAULT 0;
-- What the Host confirmed, words apart by spaces.
ALTER TABLE calls ADD COLUMN confirmed TEXT;
-- Keys pressed after the answer, sealed: they may be a PIN.
ALTER TABLE calls ADD COLUMN keys_sealed TEXT;
ALTER TABLE calls ADD COLUMN rang_at INTEGER;
ALTER TABLE calls ADD COLUMN early_media INTEGER NOT NULL DEFAULT 0;
-- The reason phrase of the last SIP answer.
ALTER TABLE calls ADD COLUMN carrier_words TEXT;
ALTER TABLE calls ADD COLUMN over_trunk INTEGER;
-- A lost connection has been looked after.
ALTER TABLE calls ADD COLUMN tended INTEGER NOT NULL DEFAULT 0;

ALTER TABLE call_events ADD COLUMN early_media INTEGER NOT NULL DEFAULT 0;
ALTER TABLE call_events ADD COLUMN carrier_words TEXT;
ALTER TABLE call_events ADD COLUMN over_trunk INTEGER;

CREATE INDEX calls_by_time ON calls (tenant_id, created_at);
CREATE INDEX calls_by_answer ON calls (tenant_id, answered_at);
CREATE INDEX calls_by_country ON calls (tenant_id, country);

-- Calls to be made again because a Host asked for it on that row (I55).
CREATE TABLE call_again (
    call_id    TEXT PRIMARY KEY REFERENCES calls (id),
    tenant_id  TEXT NOT NULL REFERENCES tenants (id),
    host_id    TEXT NOT NULL REFERENCES users (id),
    after_ms   INTEGER NOT NULL,
    times_left INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'cancelled')),
    detail     TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX call_again_waiting ON call_again (state, call_id);

-- What searches look at is folded (case and accents aside) when a row is written, not when it is looked for.

-- The names as words, each with a space before it: `% pi%` finds whom `pi` begins.
ALTER TABLE users ADD COLUMN names TEXT;
ALTER TABLE users DROP COLUMN search_of;
-- The folded name of the owner.
ALTER TABLE meetings ADD COLUMN owner_search TEXT;
ALTER TABLE meetings DROP COLUMN search;
ALTER TABLE meetings DROP COLUMN search_of;

-- Both searches and the order they are shown in are answered from an index alone.
DROP INDEX users_in_order;
CREATE INDEX users_in_order ON users (tenant_id, (extension IS NULL), extension, display_name, id, enabled, search);
DROP INDEX users_by_name;
CREATE INDEX users_by_name ON users (tenant_id, display_name, id, enabled, names);

CREATE INDEX devices_by_folded_name ON devices (tenant_id, lower(name));
CREATE INDEX numbers_by_purpose ON numbers (tenant_id, purpose, e164);
CREATE INDEX meetings_by_alias ON meetings (alias);

-- What records and acts are narrowed to.
CREATE INDEX cdrs_by_host ON cdrs (acting_host_id, started_at, id);
CREATE INDEX audit_by_actor ON audit (tenant_id, actor_id, id);
CREATE INDEX audit_by_action ON audit (tenant_id, action, id);

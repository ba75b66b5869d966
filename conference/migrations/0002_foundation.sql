-- What every later subject stands on: order of insertion, settings as JSON, the audit log.
--
-- One file serves SQLite and PostgreSQL. It is written in SQLite's words; `INTEGER`, `INTEGER PRIMARY KEY AUTOINCREMENT` and
-- `STRICT` are translated, triggers are left out. Columns are TEXT and INTEGER only.

-- The place among the rows written within the same millisecond.
ALTER TABLE people ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN position INTEGER NOT NULL DEFAULT 0;

ALTER TABLE tenants ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE meetings ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- Append only.
CREATE TABLE audit (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id),
    actor_id     TEXT,
    action       TEXT NOT NULL,
    object       TEXT NOT NULL,
    before_value TEXT,
    after_value  TEXT,
    source       TEXT NOT NULL,
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_by_tenant ON audit (tenant_id, id);
CREATE INDEX audit_by_object ON audit (tenant_id, object, id);

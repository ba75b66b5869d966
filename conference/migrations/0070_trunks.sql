-- Trunks that are changed while calls run, bindings of connections, and bans that survive a restart.
--
-- settings: JSON, see TrunkSettings. password: sealed; the one in the configuration counts where there is none.
-- managed: 1 once the API has written the row; the configuration then leaves it alone.

ALTER TABLE trunks ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE trunks ADD COLUMN password TEXT;
ALTER TABLE trunks ADD COLUMN managed INTEGER NOT NULL DEFAULT 0;

-- transport: udp, tcp, tls, ws, wss. instance and reg_id: RFC 5626. path: RFC 3327, one URI a line.
ALTER TABLE registrations ADD COLUMN transport TEXT NOT NULL DEFAULT 'udp';
ALTER TABLE registrations ADD COLUMN instance TEXT;
ALTER TABLE registrations ADD COLUMN reg_id INTEGER;
ALTER TABLE registrations ADD COLUMN path TEXT NOT NULL DEFAULT '';

CREATE TABLE bans (
    address TEXT PRIMARY KEY,
    until   INTEGER NOT NULL
) STRICT;

-- Dial policies, the numbers' and devices' administration.

-- One document per tenant, as JSON.
CREATE TABLE dial_policies (
    tenant_id  TEXT PRIMARY KEY REFERENCES tenants (id),
    policy     TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

ALTER TABLE blocked_numbers ADD COLUMN added_by TEXT;

ALTER TABLE numbers ADD COLUMN label TEXT;
-- The trunk it is rented on.
ALTER TABLE numbers ADD COLUMN trunk_id INTEGER;
-- A, B or C (RFC 8588): how the carrier vouches for calls that show it.
ALTER TABLE numbers ADD COLUMN attestation TEXT;

ALTER TABLE devices ADD COLUMN label TEXT;
-- udp, tcp, tls, wss: what the sheet tells the phone.
ALTER TABLE devices ADD COLUMN transport TEXT NOT NULL DEFAULT 'udp';
-- off, optional, required
ALTER TABLE devices ADD COLUMN srtp TEXT NOT NULL DEFAULT 'optional';
-- A REGISTER must name a user agent that begins so.
ALTER TABLE devices ADD COLUMN ua_filter TEXT;

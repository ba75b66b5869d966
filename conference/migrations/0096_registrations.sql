-- How much a phone likes to be called at a contact, in thousandths.
ALTER TABLE registrations ADD COLUMN q INTEGER NOT NULL DEFAULT 1000;
-- How long it took to answer when it last had to prove itself, in milliseconds.
ALTER TABLE registrations ADD COLUMN last_latency_ms INTEGER;

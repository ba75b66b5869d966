-- How long a phone took to answer when it last had to prove itself, in milliseconds.
ALTER TABLE registrations ADD COLUMN last_latency_ms INTEGER;

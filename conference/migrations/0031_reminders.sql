-- When a meeting is next to be looked at for a reminder of its start; missing for those that send none.
ALTER TABLE meetings ADD COLUMN remind_at INTEGER;
CREATE INDEX meetings_by_reminder ON meetings (remind_at) WHERE remind_at IS NOT NULL;
-- Those that were planned before are looked at once.
UPDATE meetings SET remind_at = 0 WHERE start_at IS NOT NULL AND state NOT IN ('draft', 'cancelled', 'complete');

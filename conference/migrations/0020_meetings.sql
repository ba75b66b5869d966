-- Scheduled and recurring meetings, rooms, PINs, who was invited as what.

-- How it comes to be: instant, scheduled, recurring, room. (`kind` is its type, conference or presentation.)
ALTER TABLE meetings ADD COLUMN form TEXT NOT NULL DEFAULT 'instant';
ALTER TABLE meetings ADD COLUMN description TEXT;
ALTER TABLE meetings ADD COLUMN site TEXT;
-- Title and site in small letters without accents, for the search.
ALTER TABLE meetings ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
-- The first start; the time zone is the one the rule is read in.
ALTER TABLE meetings ADD COLUMN start_at INTEGER;
ALTER TABLE meetings ADD COLUMN duration_minutes INTEGER;
ALTER TABLE meetings ADD COLUMN time_zone TEXT;
ALTER TABLE meetings ADD COLUMN rrule TEXT;
-- When the last occurrence is over; missing for those without an end.
ALTER TABLE meetings ADD COLUMN last_end_at INTEGER;
-- Sealed by the vault; their use is to be keyed in by phone.
ALTER TABLE meetings ADD COLUMN guest_pin TEXT;
ALTER TABLE meetings ADD COLUMN host_pin TEXT;
-- The calendar entry of its invitations (RFC 5545).
ALTER TABLE meetings ADD COLUMN ics_uid TEXT;
ALTER TABLE meetings ADD COLUMN ics_sequence INTEGER NOT NULL DEFAULT 0;
CREATE INDEX meetings_by_age ON meetings (tenant_id, created_at, id);

-- Sealed by the vault; stays the same as long as the person is on the list.
ALTER TABLE people ADD COLUMN pin TEXT;
-- The role of the latest invitation by a Host, and when that was; missing for those nobody invited.
ALTER TABLE people ADD COLUMN invited_role TEXT;
ALTER TABLE people ADD COLUMN invited_at INTEGER;
-- Attendees of a presentation whom a Host lets speak.
ALTER TABLE people ADD COLUMN may_speak INTEGER NOT NULL DEFAULT 0;
CREATE INDEX people_of_user ON people (tenant_id, user_id, meeting_id);

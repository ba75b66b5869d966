-- Who picked up a call, as JSON: seconds to the answer, length of the greeting, a beep, the key (I50).
ALTER TABLE calls ADD COLUMN evidence TEXT;

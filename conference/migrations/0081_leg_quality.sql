-- What call records tell of sound beyond loss, jitter and score; none in records of before.
ALTER TABLE cdrs ADD COLUMN concealed_ms INTEGER;
ALTER TABLE cdrs ADD COLUMN concealed_seconds INTEGER;
ALTER TABLE cdrs ADD COLUMN severely_concealed_seconds INTEGER;
ALTER TABLE cdrs ADD COLUMN buffer_us INTEGER;
ALTER TABLE cdrs ADD COLUMN remote_loss_ppm INTEGER;
ALTER TABLE cdrs ADD COLUMN remote_jitter_us INTEGER;

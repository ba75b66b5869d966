-- What is done to the voice of a device: whether it is brought to one loudness (none: as the configuration says), and
-- whether noise is taken out.
ALTER TABLE devices ADD COLUMN even_loudness INTEGER;
ALTER TABLE devices ADD COLUMN suppress_noise INTEGER NOT NULL DEFAULT 0;

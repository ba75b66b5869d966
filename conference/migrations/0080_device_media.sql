-- How a device's sound travels: names of codecs with spaces between, the best liked first; none for those of the house.
ALTER TABLE devices ADD COLUMN codecs TEXT NOT NULL DEFAULT '';

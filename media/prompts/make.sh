#!/bin/sh
# Speaks every prompt again: 16 kHz, mono, 16 bit, peak at -6 dBFS, telephone band, a little silence before and after.
# Needs espeak-ng and sox (Debian packages of the same names). The wav files are embedded in the binary.
set -eu
cd "$(dirname "$0")"

say() {
  name=$1
  words=$2
  raw=$(mktemp --suffix=.wav)
  espeak-ng -v en-us -s 150 -w "$raw" "$words"
  sox -R "$raw" -r 16000 -b 16 -c 1 "$name.wav" \
    silence 1 0.01 0.1% reverse silence 1 0.01 0.1% reverse \
    gain -3 sinc 200-3600 norm -6 pad 0.2 0.3
  rm -f "$raw"
}

say press_one_to_join "You are invited to a meeting. Press 1 to join."
say joining "You are joining the meeting."
say goodbye "Goodbye."

"""Scores speech that went from a phone through the mixer to a phone: PESQ (ITU-T P.862, P.862.2) by the package `pesq`.

usage: score.py FOLDER ENGINE [JSON]

Speaks sentences with espeak-ng into FOLDER, lets ENGINE (the example speech_quality of the crate media) carry them over
clean and bad networks, and prints a table of scores: narrowband for PCMU, wideband for the others. Each score is the mean
of all sentences.
"""

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
from pesq import pesq

SENTENCES = [
    ("en-us", "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell the depth of a well."),
    ("en-us+f3", "These days a chicken leg is a rare dish. Rice is often served in round bowls. The juice of lemons makes fine punch."),
    ("en-gb", "The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage. Four hours of steady work faced us."),
    ("fr-fr+f2", "Le soleil se couche derrière la colline. Nous parlerons du budget demain matin. Il a fermé la porte sans dire un mot."),
]
RATES = {"pcmu": 8000, "g722": 16000, "opus": 48000, "opusvoice": 48000}
NETWORKS = ["clean", "loss3", "loss10", "jitter20", "loss3jitter20", "guests"]
LEAD = 4.0  # seconds of silence the engine puts before the speech


def resample(samples, old, new):
    """By the spectrum of the whole recording: exact, and slow enough not to matter."""
    count = round(len(samples) * new / old)
    spectrum = np.fft.rfft(samples)
    wanted = np.zeros(count // 2 + 1, dtype=complex)
    common = min(len(spectrum), len(wanted))
    wanted[:common] = spectrum[:common]
    return np.fft.irfft(wanted, count) * (new / old)


def to_int(samples):
    return np.clip(np.round(samples), -32768, 32767).astype("<i2")


def speak(folder):
    for number, (voice, text) in enumerate(SENTENCES):
        file = folder / f"s{number}.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(file), text], check=True)
        with wave.open(str(file)) as recording:
            rate = recording.getframerate()
            samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2").astype(float)
        samples *= 8000 / np.max(np.abs(samples))
        for new in (8000, 16000, 48000):
            to_int(resample(samples, rate, new)).tofile(folder / f"s{number}.{new}.raw")


def align(reference, heard, rate):
    """Cuts what was heard to where the speech is, by correlation; PESQ aligns the rest itself."""
    begin = int((LEAD - 0.3) * rate)
    window = heard[begin : begin + len(reference) + int(1.2 * rate)].astype(float)
    size = 1 << (len(window) + len(reference)).bit_length()
    product = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(reference.astype(float), size)), size)
    delay = int(np.argmax(product[: len(window)]))
    delay = min(delay, max(0, len(window) - len(reference)))
    return window[delay : delay + len(reference)].astype("<i2")


def score(folder, codec, network):
    scores = []
    for number in range(len(SENTENCES)):
        rate = RATES[codec]
        reference = np.fromfile(folder / f"s{number}.{rate}.raw", "<i2")
        heard = align(reference, np.fromfile(folder / f"s{number}.{codec}.{network}.out", "<i2"), rate)
        if rate == 48000:
            reference, heard = (to_int(resample(sound.astype(float), 48000, 16000)) for sound in (reference, heard))
            rate = 16000
        scores.append(pesq(rate, reference, heard, "nb" if rate == 8000 else "wb"))
    return sum(scores) / len(scores)


def main():
    folder, engine = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("s*"):
        old.unlink()
    speak(folder)
    subprocess.run([engine, str(folder)], check=True, stdout=subprocess.DEVNULL)
    table = {codec: {network: score(folder, codec, network) for network in NETWORKS} for codec in RATES}
    print("PESQ (MOS-LQO) ".ljust(12) + "".join(name.rjust(15) for name in NETWORKS))
    for codec, row in table.items():
        print(codec.ljust(15) + "".join(f"{value:15.2f}" for value in row.values()))
    if len(sys.argv) > 3:
        Path(sys.argv[3]).write_text(json.dumps(table, indent=1) + "\n")


main()

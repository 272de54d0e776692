"""The sound in a player against its song, by ffmpeg.

    python3 tests/campaigns/players.py notebooks/01-course-workflow.ipynb datasets/songs/prelude.mp3

looks at the first player of an executed notebook or a page, decodes its sound and the song's file,
and compares frames, place, level of each channel, what tells left from right, and bands up to
16 kHz. Needs ffmpeg and NumPy. What of it `./test` runs is in `tests/display/player.rs`, with our
own decoder, and in `tests/browser`, with the browsers'.
"""

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

RATE_HZ = 48_000
BANDS_HZ = [0, 200, 2_000, 8_000, 12_000, 14_000, 16_000]
SOURCE = re.compile(r'<audio controls[^>]* src="data:([^"]*?);base64,([^"]*)"')


def html_of(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    outputs = [o for cell in json.loads(text)["cells"] for o in cell.get("outputs", [])]
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)


def decode(path):
    """Frames by two channels at 48 kHz."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-f", "f32le", "-ac", "2", "-ar", str(RATE_HZ)]
    samples = subprocess.run([*command, "-"], stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(samples, "<f4").reshape(-1, 2).astype(float)


def decibels(ratio):
    return 10 * np.log10(ratio)


def energy(samples):
    return np.mean(samples**2) + 1e-12


def frames_late(song, sound):
    """By the place of the largest cross-correlation of the middle 5 seconds."""
    middle = slice(max(0, len(song) // 2 - 120_000), len(song) // 2 + 120_000)
    a, b = (np.fft.rfft(x[middle].mean(1), 2**19) for x in (song, sound))
    at = int(np.argmax(np.fft.irfft(b * np.conj(a))))
    return at if at < 2**18 else at - 2**19


def powers(samples):
    spectrum = np.zeros(2_049)
    for start in range(0, len(samples) - 4_096, 2_048):
        spectrum += np.abs(np.fft.rfft(samples[start : start + 4_096] * np.hanning(4_096))) ** 2
    edges = [int(hz / RATE_HZ * 4_096) for hz in BANDS_HZ]
    return np.array([spectrum[a:b].sum() for a, b in zip(edges, edges[1:], strict=False)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("song", type=Path)
    arguments = parser.parse_args()
    mime, text = SOURCE.search(html_of(arguments.page)).groups()
    data = base64.b64decode(text)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        sound = decode(file.name)
    song = decode(arguments.song)
    print(f"{mime}, {len(data):,} bytes, {8 * len(data) / len(sound) * RATE_HZ / 1000:.0f} kbit/s")
    frames = len(sound) - len(song)
    length = min(len(sound), len(song))
    song, sound = song[:length], sound[:length]
    late = frames_late(song, sound)
    level = [decibels(energy(sound[:, c]) / energy(song[:, c])) for c in (0, 1)]
    side = [x[:, 0] - x[:, 1] for x in (song, sound)]
    likeness = 1.0 if energy(side[0]) < 1e-9 else np.corrcoef(side)[0, 1]
    bands = decibels(powers(sound.mean(1)) / powers(song.mean(1)))
    print(f"{frames:+d} frames longer, {late:+d} frames late")
    print(
        f"level {level[0]:+.2f} and {level[1]:+.2f} dB; left from right, correlation {likeness:.3f}"
    )
    for low, high, change in zip(BANDS_HZ, BANDS_HZ[1:], bands, strict=False):
        print(f"{low:6d} to {high:6d} Hz {change:+.2f} dB")
    kept = abs(frames) <= 1 and late == 0 and max(map(abs, level)) < 0.5
    sys.exit(0 if kept and likeness > 0.8 and min(bands) > -3 else 1)


if __name__ == "__main__":
    main()

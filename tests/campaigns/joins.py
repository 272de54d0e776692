"""How much pieces change around their joins, wherever in them, by another measure than the judge's.

    cargo run --release --example pieces -- FOLDER 30 5 SONG
    python3 tests/campaigns/joins.py SONG FOLDER/NAME-*.wav

The judge looks at the place of a join; a long crossfade has its change before that. So this looks
everywhere from 0.75 s before a join to 0.15 s after it, at 48 mel bands every 12 ms, and says, in
units of the same around both places of the song, medians over the joins of a piece:

- *flow*: how much the bands change from one frame to the next, on average;
- *step*: the largest change between what sounds for 50 ms and what does for 50 ms after it.

Where the joins are, `pieces` says in a file beside each piece (NAME-SEED.joins.csv). It needs
ffmpeg, NumPy and librosa (`pip install librosa`), and shares nothing with the library.
"""

import csv
import sys
from pathlib import Path

import librosa
import numpy as np
from outside_copies import RATE_HZ, samples

HOP, WINDOW, BANDS = 264, 1_024, 48
BEFORE_SECONDS, AFTER_SECONDS = 0.75, 0.15
SIDE = 4


def levels_db(sound):
    """Frames × bands, to 80 dB below the loudest."""
    power = librosa.feature.melspectrogram(
        y=sound, sr=RATE_HZ, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS
    )
    return librosa.power_to_db(power, ref=np.max).T


def around(levels, seconds):
    """Flow and step around a time; nothing at the ends."""
    first, last = (round((seconds + by) * RATE_HZ / HOP) for by in (-BEFORE_SECONDS, AFTER_SECONDS))
    if first < SIDE or last + SIDE >= len(levels):
        return None
    part = levels[first:last]
    flow = np.abs(np.diff(part, axis=0)).mean()
    sums = np.cumsum(np.vstack([np.zeros(BANDS), levels[first - SIDE : last + SIDE]]), axis=0)
    means = (sums[SIDE:] - sums[:-SIDE]) / SIDE
    step = np.sqrt(((means[SIDE:] - means[:-SIDE]) ** 2).mean(1)).max()
    return flow, step


def of_piece(song, piece, joins):
    """The medians of flow and step over the joins, in units of the song's."""
    here, there = [], []
    for at, before, after in joins:
        own = around(piece, at)
        places = [place for place in (around(song, before), around(song, after)) if place]
        if own and places:
            here.append(own)
            there.append(np.mean(places, axis=0))
    if not here:
        return None
    return len(here), *np.median(np.array(here) / np.array(there), axis=0)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    song = levels_db(samples(sys.argv[1]))
    every = []
    for path in sys.argv[2:]:
        with Path(path).with_suffix(".joins.csv").open() as file:
            joins = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
        found = of_piece(song, levels_db(samples(path)), joins)
        if found is None:
            print(f"{path}: no joins that can be compared")
            continue
        count, flow, step = found
        every.append((flow, step))
        print(f"{path}: {count} joins, flow {flow:.2f}, step {step:.2f}")
    if every:
        flow, step = np.median(every, axis=0)
        print(f"medians of {len(every)} pieces: flow {flow:.2f}, step {step:.2f}")


if __name__ == "__main__":
    main()

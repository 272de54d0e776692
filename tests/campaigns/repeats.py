"""How much pieces play of a song twice, by where they say that they took it from.

    cargo run --release --example pieces -- FOLDER 30 5 SONG
    python3 tests/campaigns/repeats.py FOLDER/NAME-*.joins.csv

The judge hears repeats in the sound; where a song sounds alike everywhere it hears none, or too
many. This only reads which times of the song stand where in a piece, and says the longest stretch
that is there again, in the same order, some time later: a circle, too, which is a stretch longer
than the time after which it comes again. It needs NumPy, and shares nothing with the library.
"""

import csv
import sys
from pathlib import Path

import numpy as np

STEP_SECONDS = 0.01
SAME_SECONDS = 0.015
LEAST_LAG_SECONDS = 0.2


def taken_from(joins, seconds):
    """For every hundredth of a second of a piece the time of the song that is heard there."""
    at = np.arange(0, seconds, STEP_SECONDS)
    first_at, first_before, _ = joins[0]
    song = at + first_before - first_at
    for begins, _, after in joins:
        song[at >= begins] = after + at[at >= begins] - begins
    return song


def longest_repeat(song):
    """Seconds that are there again, after how many, and when."""
    longest = (0, 0, 0)
    for lag in range(round(LEAST_LAG_SECONDS / STEP_SECONDS), len(song)):
        same = np.abs(song[lag:] - song[:-lag]) < SAME_SECONDS
        edges = np.diff(np.concatenate([[0], same.astype(int), [0]]))
        begins, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
        if len(begins):
            which = (ends - begins).argmax()
            found = (ends[which] - begins[which], lag, begins[which] + lag)
            longest = max(longest, found, key=lambda it: it[0])
    return [STEP_SECONDS * frames for frames in longest]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        with Path(path).open() as file:
            joins = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
        if not joins:
            print(f"{path}: no joins")
            continue
        # What comes after the last join is as long as what is heard between two, at most.
        ends = joins[-1][0] + max(np.diff([0.0] + [join[0] for join in joins]))
        seconds, lag, at = longest_repeat(taken_from(joins, ends))
        print(f"{path}: {seconds:.2f} s again after {lag:.2f} s, at {at:.2f} s", flush=True)


if __name__ == "__main__":
    main()

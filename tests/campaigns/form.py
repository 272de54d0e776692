"""Whether the parts of a piece are heard, by features that nothing in the library uses.

    neural-composer compose SONG --seconds 180 -o PIECE.wav --json > PIECE.json
    python tests/campaigns/form.py PIECE.wav PIECE.json

Timbre (20 cepstral coefficients) and harmony (chroma of constant-Q bands) are averaged over every
part that PIECE.json tells of. Printed are the distances between parts of the same letter and
between parts of different letters (in standard deviations of the features over the piece), and how
much more the sound changes over the six seconds around a boundary than it does elsewhere. It needs
NumPy and librosa.
"""

import json
import sys

import librosa
import numpy as np

RATE_HZ, HOP = 22_050, 1_024
AROUND_SECONDS = 3.0


def features(path):
    sound, _ = librosa.load(path, sr=RATE_HZ, mono=True)
    timbre = librosa.feature.mfcc(y=sound, sr=RATE_HZ, n_mfcc=20, hop_length=HOP)
    harmony = librosa.feature.chroma_cqt(y=sound, sr=RATE_HZ, hop_length=HOP)
    both = np.vstack([timbre[:, : harmony.shape[1]], harmony[:, : timbre.shape[1]]])
    return (both - both.mean(1, keepdims=True)) / (both.std(1, keepdims=True) + 1e-9)


def frame(seconds):
    return int(seconds * RATE_HZ / HOP)


def apart(one, other):
    return float(np.sqrt(np.mean((one - other) ** 2)))


def between(heard, start, end):
    return heard[:, frame(start) : max(frame(end), frame(start) + 1)].mean(1)


def main():
    heard = features(sys.argv[1])
    with open(sys.argv[2]) as file:
        parts = json.load(file)["parts"]
    seconds = heard.shape[1] * HOP / RATE_HZ
    starts = [part["start_seconds"] for part in parts]
    ends = [*starts[1:], seconds]
    means = [between(heard, *times) for times in zip(starts, ends, strict=True)]
    letters = [part["letter"] for part in parts]
    pairs = [(one, two) for two in range(len(parts)) for one in range(two)]
    same = [apart(means[a], means[b]) for a, b in pairs if letters[a] == letters[b]]
    other = [apart(means[a], means[b]) for a, b in pairs if letters[a] != letters[b]]

    def change(at):
        before = between(heard, at - AROUND_SECONDS, at)
        return apart(before, between(heard, at, at + AROUND_SECONDS))

    everywhere = np.arange(AROUND_SECONDS, seconds - AROUND_SECONDS, 0.5)
    usual = np.median([change(at) for at in everywhere])
    at_boundaries = np.median([change(at) for at in starts[1:] if at < seconds - AROUND_SECONDS])
    print(
        f"{sys.argv[1]}: {' '.join(letters)}; apart {np.mean(same):.2f} (same letter), "
        f"{np.mean(other):.2f} (other letters); change at boundaries {at_boundaries / usual:.2f} "
        "times the usual"
    )


if __name__ == "__main__":
    main()

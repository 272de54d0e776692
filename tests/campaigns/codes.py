"""Onsets, stereo and treble of pieces beside their song, by librosa and NumPy alone.

    python tests/campaigns/codes.py SONG PIECE...

Needs librosa and soundfile. Prints, for the song and each piece: mean and 95th percentile of the
onset strength, the share of energy above 11 kHz (dB), that of the difference of the channels
against their mix (dB), the correlation of the channels, the peak, the level (dB of full scale).
"""

import sys
import warnings

import librosa
import numpy as np

RATE = 44_100
TREBLE_HZ = 11_025
COLUMNS = ["onsets", "onsets, 95 %", "treble dB", "side dB", "left/right", "peak", "level dB"]


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio + 1e-12)


def measured(path: str) -> list[float]:
    samples, _ = librosa.load(path, sr=RATE, mono=False)
    samples = np.atleast_2d(samples)
    left, right = samples[0], samples[-1]
    mix, side = samples.mean(axis=0), (left - right) / 2
    onsets = librosa.onset.onset_strength(y=mix, sr=RATE, hop_length=512)
    power = np.abs(librosa.stft(mix)) ** 2
    treble = power[librosa.fft_frequencies(sr=RATE) > TREBLE_HZ].sum() / power.sum()
    return [
        onsets.mean(),
        np.percentile(onsets, 95),
        decibels(treble),
        decibels((side**2).sum() / (mix**2).sum()),
        np.corrcoef(left, right)[0, 1],
        np.abs(samples).max(),
        decibels((mix**2).mean()),
    ]


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    warnings.filterwarnings("ignore")
    print("| | " + " | ".join(COLUMNS) + " | onsets, song = 1 |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    song = None
    for path in sys.argv[1:]:
        values = measured(path)
        song = song or values
        told = " | ".join(f"{value:.2f}" for value in values)
        print(f"| {path} | {told} | {values[0] / song[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()

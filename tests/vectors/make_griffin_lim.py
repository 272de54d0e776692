"""Writes griffin_lim.json: what librosa makes of magnitudes, for tests/spectral.rs.

Needs numpy and librosa.
"""

import json
import pathlib

import librosa
import numpy as np

N, HOP = 128, 32
time = np.arange(40 * HOP) / 8000
tone = 0.5 * np.sin(2 * np.pi * (300 * time + 900 * time**2))
tone += 0.2 * np.sin(2 * np.pi * 1210 * time)
tone = tone.astype(np.float32)
spectrum = np.abs(librosa.stft(tone, n_fft=N, hop_length=HOP, center=True, pad_mode="constant"))
found = {}
for iterations in (1, 2, 5):
    found[str(iterations)] = librosa.griffinlim(
        spectrum,
        n_iter=iterations,
        hop_length=HOP,
        n_fft=N,
        window="hann",
        center=True,
        pad_mode="constant",
        momentum=0.99,
        init=None,
    )


def rounded(values):
    return [round(float(v), 6) for v in np.ravel(values)]


target = pathlib.Path(__file__).with_name("griffin_lim.json")
target.write_text(
    json.dumps(
        {
            "window": N,
            "hop": HOP,
            "magnitudes": rounded(spectrum.T),
            "samples": {key: rounded(value) for key, value in found.items()},
        }
    )
)

"""Makes features.json: block spectra, statistics and a spectrogram as NumPy computes them.

usage: python3 tests/vectors/make_features.py    (needs numpy)
"""

import json
from pathlib import Path

import numpy as np


def block_rows(samples, block, layout):
    rows = []
    for start in range(0, len(samples), block):
        piece = np.zeros(block)
        part = samples[start : start + block]
        piece[: len(part)] = part
        if layout == "full":
            spectrum = np.fft.fft(piece)
            rows.append(np.concatenate([spectrum.real, spectrum.imag]))
        else:
            spectrum = np.fft.rfft(piece)
            rows.append(np.concatenate([spectrum.real, spectrum.imag[1 : (block + 1) // 2]]))
    return np.array(rows)


def spectrogram_db(samples, window, hop):
    hann = np.hanning(window + 1)[:-1]
    padded = np.concatenate([np.zeros(window // 2), samples, np.zeros(window)])
    frames = len(samples) // hop + 1
    power = [
        np.abs(np.fft.rfft(padded[i * hop : i * hop + window] * hann) * 2 / hann.sum()) ** 2
        for i in range(frames)
    ]
    return np.maximum(10 * np.log10(np.maximum(np.array(power), 1e-30)), -120)


random = np.random.default_rng(2016)
samples = random.uniform(-1, 1, 70).astype(np.float32)
vectors = {"samples": samples.tolist(), "rows": [], "spectrogram": {}}
for block in (16, 25):
    for layout in ("full", "half"):
        rows = block_rows(samples.astype(np.float64), block, layout)
        vectors["rows"].append(
            {
                "block": block,
                "layout": layout,
                "rows": rows.ravel().tolist(),
                "mean": rows.mean(axis=0).tolist(),
                "deviation": np.maximum(rows.std(axis=0), 1e-8).tolist(),
            }
        )
vectors["spectrogram"] = {
    "window": 16,
    "hop": 5,
    "db": spectrogram_db(samples.astype(np.float64), 16, 5).ravel().tolist(),
}
Path(__file__).with_name("features.json").write_text(json.dumps(vectors) + "\n")

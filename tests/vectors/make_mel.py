"""Makes mel.safetensors: mel bands and chroma as librosa computes them.

usage: python3 tests/vectors/make_mel.py    (needs numpy, librosa)
"""

from pathlib import Path

import librosa
import numpy as np
from tensor_file import write

RATE, HOP = 8_000, 352
random = np.random.default_rng(5)
time = np.arange(3_000) / RATE
samples = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.sin(2 * np.pi * 1_318.5 * time**1.2)
samples += 0.02 * random.standard_normal(len(time))
samples[-500:] = 0
samples = samples.astype(np.float32)

WINDOW, BANDS = 512, 20
power = librosa.feature.melspectrogram(
    y=samples.astype(np.float64),
    sr=RATE,
    n_fft=WINDOW,
    hop_length=HOP,
    center=True,
    pad_mode="constant",
    power=2.0,
    n_mels=BANDS,
    fmin=40,
    fmax=3_500,
    htk=False,
    norm=None,
)
scale = 2 / librosa.filters.get_window("hann", WINDOW, fftbins=True).sum()
db = np.maximum(10 * np.log10(np.maximum(power * scale**2, 1e-30)), -100)
chroma = librosa.feature.chroma_stft(
    y=samples.astype(np.float64),
    sr=RATE,
    n_fft=1_024,
    hop_length=HOP,
    center=True,
    pad_mode="constant",
    tuning=0.0,
    norm=np.inf,
)
write(
    Path(__file__).with_name("mel.safetensors"),
    {"samples": samples, "mel_db": db.T.astype(np.float32), "chroma": chroma.T.astype(np.float32)},
)

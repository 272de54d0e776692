"""A piece as two files: NAME.wav, and NAME.beats with one line `seconds<TAB>beat of the bar`."""

import numpy as np
from scipy.io import wavfile


def write(folder, name, samples, beats, sample_rate_hz):
    """Sound without a beat gets an empty `.beats`."""
    folder.mkdir(parents=True, exist_ok=True)
    wavfile.write(
        folder / f"{name}.wav",
        sample_rate_hz,
        np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16),
    )
    lines = [f"{seconds:.4f}\t{place}\n" for seconds, place in beats]
    (folder / f"{name}.beats").write_text("".join(lines))

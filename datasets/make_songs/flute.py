"""A wooden flute: few partials, breath in the tone, vibrato of loudness more than of pitch."""

import numpy as np

from .lines import Touch, Wavetable, audio_rate, drawn
from .mixing import band_pass, high_pass

_TOUCH = Touch(attack=0.085, release=0.16, glide=0.010, vibrato_hz=4.9, vibrato_cents=9.0,
               vibrato_delay=0.35, drift_cents=3.0, swell=0.30, scoop_cents=22.0)


def _quiet(n, hz):
    return np.array([1.0, 0.16, 0.07, 0.02, 0.008])[np.minimum(n, 5) - 1] * (n <= 5)


def _strong(n, hz):
    partials = np.array([1.0, 0.62, 0.40, 0.17, 0.10, 0.06, 0.035, 0.02, 0.012, 0.008])
    return partials[np.minimum(n, 10) - 1] * (n <= 10) * np.exp(-n * hz / 9000.0)


class Flute:
    def __init__(self, sample_rate_hz, seed):
        self._rate = sample_rate_hz
        self._rng = np.random.default_rng(seed)
        self._quiet = Wavetable(_quiet, sample_rate_hz, seed)
        self._strong = Wavetable(_strong, sample_rate_hz, seed)

    def play(self, notes, seconds):
        """One line of notes, mono."""
        length = int(seconds * self._rate)
        curves = drawn(notes, seconds, _TOUCH, self._rng)
        loudness = audio_rate(curves.loudness, self._rate, length)
        vibrato = audio_rate(curves.vibrato, self._rate, length)
        pitch = audio_rate(curves.pitch, self._rate, length)
        blown = np.clip(loudness * (1.0 + 0.25 * vibrato), 0.0, 1.2)
        bright = np.clip(1.3 * blown - 0.25, 0.0, 1.0)
        tone = (1.0 - bright) * self._quiet.sound(pitch) + bright * self._strong.sound(pitch)
        return tone * blown**1.2 + self._breath(pitch, blown) + self._chiff(notes, length)

    def _breath(self, pitch, blown):
        """Noise that the pipe colours: air above, and a little around the tone itself."""
        air = band_pass(self._rng.normal(size=len(pitch)), 1200, 7000, self._rate)
        near = band_pass(self._rng.normal(size=len(pitch)), 400, 1100, self._rate)
        return (0.022 * air + 0.018 * near) * np.sqrt(np.maximum(blown, 0.0)) * blown

    def _chiff(self, notes, length):
        """The puff at the start of a note that is not slurred to the one before."""
        out = np.zeros(length)
        size = int(0.09 * self._rate)
        time = np.arange(size) / self._rate
        shape = (1.0 - np.exp(-time / 0.006)) * np.exp(-time / 0.022)
        ended = -1.0
        for note in notes:
            start = int(note.start * self._rate)
            if note.start - ended > 0.03 and start + size < length:
                puff = band_pass(self._rng.normal(size=size + 400), 900, 4200, self._rate)[400:]
                out[start : start + size] += 0.10 * note.velocity * shape * puff
            ended = note.end
        return high_pass(out, 500, self._rate)

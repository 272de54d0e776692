"""A warm monophonic lead synthesiser with glide, vibrato and an echo."""

import numpy as np

from .lines import Touch, Wavetable, audio_rate, drawn
from .mixing import decibels, low_pass

_TOUCH = Touch(attack=0.018, release=0.085, glide=0.010, vibrato_hz=5.4, vibrato_cents=20.0,
               vibrato_delay=0.26, drift_cents=2.0, swell=0.12, accent=0.45)


def _hollow(cutoff_hz):
    return lambda n, hz: np.where(n % 2 == 1, 1.0, 0.45) / n * np.exp(-n * hz / cutoff_hz)


class SynthLead:
    def __init__(self, sample_rate_hz, seed):
        self._rate = sample_rate_hz
        self._rng = np.random.default_rng(seed)
        self._mellow = Wavetable(_hollow(1100.0), sample_rate_hz, seed)
        self._bright = Wavetable(_hollow(4200.0), sample_rate_hz, seed)

    def play(self, notes, seconds, echo_seconds, echo_db=-13.0):
        """One line of notes in the middle, its echoes left and right; returns a stereo array."""
        length = int(seconds * self._rate)
        curves = drawn(notes, seconds, _TOUCH, self._rng)
        loudness = audio_rate(curves.loudness, self._rate, length)
        pitch = audio_rate(curves.pitch, self._rate, length)
        bright = np.clip(1.1 * loudness - 0.2, 0.0, 1.0)
        sound = (1 - bright) * self._mellow.sound(pitch) + bright * self._bright.sound(pitch)
        sound = sound * loudness**1.1
        stereo = np.stack([sound, sound])
        step = int(echo_seconds * self._rate)
        echo = low_pass(sound, 2600, self._rate)
        for repeat in range(1, 4):
            side = repeat % 2
            delayed = decibels(echo_db - 6.0 * (repeat - 1)) * echo[: max(0, length - repeat * step)]
            stereo[side, repeat * step :] += delayed
        return stereo

"""Plucked strings: classical guitar, harp, harpsichord, electric bass.

A string plucked at the share `p` of its length sounds its partial n with
sin(n pi p)/n at the bridge; the soft finger and the string's losses take the top away.
"""

from dataclasses import dataclass

import numpy as np

from .mixing import Track, band_pass
from .modes import body_impulse, ring, through
from .score import frequency_hz


@dataclass(frozen=True)
class Plucker:
    """How a string of an instrument answers; times are to -60 dB."""

    pluck_share: float
    cutoff_hz: float
    ring_seconds_at_a2: float
    ring_slope: float
    treble_loss: float
    stiffness: float
    noise: float
    damping_seconds: float
    velocity_to_cutoff: float = 0.8


GUITAR = Plucker(0.15, 1900, 7.5, 0.45, 1.1, 4e-5, 0.030, 0.05)
HARP = Plucker(0.33, 1300, 7.0, 0.35, 0.9, 2e-5, 0.012, 0.25)
HARPSICHORD = Plucker(0.11, 5200, 6.0, 0.50, 0.35, 1e-5, 0.020, 0.06, velocity_to_cutoff=0.1)
BASS = Plucker(0.22, 620, 5.0, 0.30, 1.6, 8e-5, 0.010, 0.045)


def guitar_body(sample_rate_hz, seed):
    """Air mode near 100 Hz, top plate near 200 Hz, then a thicket."""
    rng = np.random.default_rng(seed)
    main = [(98, 0.45, 0.08), (196, 0.9, 0.07), (236, 0.7, 0.06), (389, 0.7, 0.05), (425, 0.5, 0.05)]
    return body_impulse(rng, sample_rate_hz, main, (480, 5200), 46, direct=0.45)


class PluckedStrings:
    def __init__(self, plucker, sample_rate_hz, seed, body=None):
        self._plucker, self._rate, self._body = plucker, sample_rate_hz, body
        self._rng = np.random.default_rng(seed)

    def note(self, midi, velocity, held_seconds):
        """One string from the pluck to its damping (mono, without the body)."""
        p, rng = self._plucker, self._rng
        f0 = float(frequency_hz(midi))
        n = np.arange(1, int(min(80, 12000 / f0)) + 1)
        hz = n * f0 * np.sqrt(1.0 + p.stiffness * n**2)
        share = p.pluck_share * rng.uniform(0.9, 1.1)
        cutoff = p.cutoff_hz * (0.45 + p.velocity_to_cutoff * velocity) * (f0 / 220.0) ** 0.25
        comb = np.abs(np.sin(np.pi * n * share)) + 0.03
        amplitude = comb / n * (np.exp(-hz / cutoff) + 0.08 * np.exp(-hz / (3.0 * cutoff)))
        amplitude *= velocity**1.3 / np.sqrt(np.sum(amplitude**2))
        ring_seconds = p.ring_seconds_at_a2 * (110.0 / f0) ** p.ring_slope
        decay = 6.9 / ring_seconds + p.treble_loss * (hz / 1000.0) ** 1.2
        # The string swings across the top (loud, short) and along it (soft, long).
        modes_hz = np.concatenate([hz, hz * 2.0 ** (0.8 / 1200.0)])
        modes_decay = np.concatenate([decay * 2.2, decay * 0.8]) * rng.uniform(0.85, 1.2, 2 * len(n))
        modes_gain = np.concatenate([amplitude, 0.4 * amplitude])
        seconds = held_seconds + 6.0 * p.damping_seconds
        sound = ring(modes_hz, modes_decay, modes_gain, seconds, self._rate)
        time = np.arange(len(sound)) / self._rate
        sound *= np.exp(-np.maximum(time - held_seconds, 0.0) / p.damping_seconds)
        rise = int(0.0012 * self._rate)
        sound[:rise] *= np.linspace(0.0, 1.0, rise)
        return sound + self._finger(len(sound), velocity)

    def _finger(self, length, velocity):
        """The short noise of nail or plectrum leaving the string."""
        burst = self._rng.normal(size=int(0.02 * self._rate))
        burst = band_pass(burst, 700, 5000, self._rate)
        burst *= np.exp(-np.arange(len(burst)) / (0.004 * self._rate))
        out = np.zeros(length)
        out[: len(burst)] = self._plucker.noise * velocity * burst[:length]
        return out

    def play(self, notes, seconds, pan_per_octave=0.0, middle=60.0, pan=0.0):
        """Renders notes; returns a stereo array."""
        track = Track(seconds, self._rate)
        for note in notes:
            sound = self.note(note.pitch, note.velocity, note.duration)
            place = pan + pan_per_octave * (note.pitch - middle) / 12.0
            track.add(sound, note.start, float(np.clip(place, -0.9, 0.9)))
        if self._body is None:
            return track.samples
        return np.stack([through(channel, self._body) for channel in track.samples])

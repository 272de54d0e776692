"""Instruments that hold a tone: one player's unbroken line of pitch, loudness and brightness.

Curves are drawn at a low rate, then a wavetable oscillator follows them. A table
for each semitone holds as many partials as fit, so nothing aliases.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .score import frequency_hz

CURVE_RATE_HZ = 441
_TABLE = 4096


@dataclass(frozen=True)
class Touch:
    """How a player shapes notes; times in seconds, depths in cents."""

    attack: float
    release: float
    glide: float = 0.012
    vibrato_hz: float = 5.6
    vibrato_cents: float = 16.0
    vibrato_delay: float = 0.22
    drift_cents: float = 4.0
    swell: float = 0.18
    scoop_cents: float = 0.0
    accent: float = 0.0


@dataclass
class Curves:
    """A line over time at `CURVE_RATE_HZ`: MIDI pitch, loudness, and vibrato phase (-1 to 1)."""

    pitch: np.ndarray
    loudness: np.ndarray
    vibrato: np.ndarray


def _smooth_noise(rng, length, hz):
    noise = gaussian_filter1d(rng.normal(size=length), CURVE_RATE_HZ / (2 * np.pi * hz), mode="wrap")
    return noise / noise.std()


def drawn(notes, seconds, touch, rng):
    """The curves of one line of notes that do not overlap."""
    length = int(seconds * CURVE_RATE_HZ) + 2
    time = np.arange(length) / CURVE_RATE_HZ
    target, loudness, depth = np.empty(length), np.zeros(length), np.zeros(length)
    target[:] = notes[0].pitch
    for index, note in enumerate(notes):
        following = notes[index + 1].start if index + 1 < len(notes) else np.inf
        first = int(note.start * CURVE_RATE_HZ)
        target[first:] = note.pitch
        since = time[first:] - note.start
        joined = following - note.end < 0.03
        attack = min(touch.attack, 0.5 * note.duration)
        release = min(touch.release, note.duration) * (0.7 if joined else 1.0)
        up = np.sin(np.pi / 2 * np.clip(since / attack, 0.0, 1.0)) ** 2
        # A joined note hands over while the next one rises; a free one dies away on its own.
        fall_from = note.duration - (0.35 * release if joined else 0.0)
        down = np.cos(np.pi / 2 * np.clip((since - fall_from) / release, 0.0, 1.0)) ** 2
        arc = 1.0 + touch.swell * (np.sin(np.pi * np.clip(since / note.duration, 0.0, 1.0)) - 0.5)
        arc += touch.accent * np.exp(-np.maximum(since, 0.0) / 0.08)
        loudness[first:] += note.velocity * up * down * arc
        within = (since >= 0) & (since < min(note.duration + 0.1, following - note.start))
        grown = np.clip((since - touch.vibrato_delay) / 0.35, 0.0, 1.0)
        depth[first:] = np.where(within, grown, depth[first:])
        if touch.scoop_cents and not (index and notes[index - 1].end > note.start - 0.03):
            target[first:] -= touch.scoop_cents / 100.0 * np.exp(-since / 0.05) * within
    pitch = gaussian_filter1d(target, touch.glide * CURVE_RATE_HZ)
    depth = gaussian_filter1d(depth, 0.04 * CURVE_RATE_HZ)
    rate = touch.vibrato_hz * (1.0 + 0.05 * _smooth_noise(rng, length, 0.7))
    phase = 2 * np.pi * np.cumsum(rate) / CURVE_RATE_HZ + rng.uniform(0, 6.28)
    strength = depth * (1.0 + 0.2 * _smooth_noise(rng, length, 0.9))
    vibrato = strength * np.sin(phase)
    drift = touch.drift_cents * _smooth_noise(rng, length, 1.5)
    pitch = pitch + (touch.vibrato_cents * vibrato + drift) / 100.0
    return Curves(pitch, gaussian_filter1d(loudness, 0.006 * CURVE_RATE_HZ), vibrato)


def audio_rate(curve, sample_rate_hz, length):
    at = np.arange(length) * (CURVE_RATE_HZ / sample_rate_hz)
    return np.interp(at, np.arange(len(curve)), curve)


class Wavetable:
    """Tables for MIDI 24 to 108; `partials(n, hz)` gives the amplitudes of partials n of a tone."""

    _LOWEST, _HIGHEST = 24, 108

    def __init__(self, partials, sample_rate_hz, seed):
        self._rate = sample_rate_hz
        phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 400)
        rows = []
        for midi in range(self._LOWEST, self._HIGHEST + 1):
            hz = float(frequency_hz(midi))
            n = np.arange(1, max(2, min(400, int(0.43 * sample_rate_hz / hz) + 1)))
            amplitude = partials(n, hz)
            spectrum = np.zeros(_TABLE // 2 + 1, dtype=complex)
            spectrum[n] = amplitude * np.exp(1j * phases[: len(n)]) * _TABLE / 2
            row = np.fft.irfft(spectrum)
            rows.append(np.append(row, row[0]) / np.sqrt(np.mean(row**2)))
        self._tables = np.array(rows, dtype=np.float32)

    def sound(self, pitch):
        """A tone of unit power that follows `pitch` (MIDI, one value per sample)."""
        phase = np.cumsum(frequency_hz(pitch) / self._rate)
        position = (phase - np.floor(phase)) * _TABLE
        index = np.minimum(position.astype(np.int32), _TABLE - 1)
        share = (position - index).astype(np.float32)
        # Round up: a table for a higher semitone has only partials that fit this one, too.
        row = np.clip(np.ceil(pitch - 0.5).astype(np.int32) - self._LOWEST, 0, len(self._tables) - 1)
        flat = row * (_TABLE + 1) + index
        samples = self._tables.ravel()
        return samples[flat] * (1.0 - share) + samples[flat + 1] * share

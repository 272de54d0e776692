"""Loudness (ITU-R BS.1770), peak limiting, trimming and quantisation."""

import numpy as np
from scipy.ndimage import minimum_filter1d
from scipy.signal import lfilter, resample_poly

from .mixing import decibels, high_pass

# K-weighting: the two filters of BS.1770 as coefficients at 48 kHz.
_SHELF = ([1.53512485958697, -2.69169618940638, 1.19839281085285],
          [1.0, -1.69065929318241, 0.73248077421585])
_HIGH_PASS = ([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621])


def loudness_lufs(sound, sample_rate_hz):
    """Integrated loudness of a (channels x n) sound, with both gates of BS.1770."""
    up, down = 48000 // np.gcd(48000, sample_rate_hz), sample_rate_hz // np.gcd(48000, sample_rate_hz)
    weighted = resample_poly(sound, up, down, axis=1)
    for numerator, denominator in (_SHELF, _HIGH_PASS):
        weighted = lfilter(numerator, denominator, weighted, axis=1)
    block, step = 19200, 4800
    energy = np.concatenate([[0.0], np.cumsum((weighted**2).sum(axis=0))])
    starts = np.arange(0, weighted.shape[1] - block, step)
    power = (energy[starts + block] - energy[starts]) / block
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    power = power[power > 0.1 * power.mean()]
    return -0.691 + 10 * np.log10(power.mean())


def limited(sound, sample_rate_hz, ceiling_db):
    """Keeps every sample under the ceiling by a smooth gain that looks 5 ms ahead."""
    reach = int(0.005 * sample_rate_hz)
    ceiling = decibels(ceiling_db)
    needed = np.minimum(1.0, ceiling / np.maximum(np.abs(sound).max(axis=0), 1e-9))
    lowest = minimum_filter1d(needed, 2 * reach + 1)
    window = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(lowest, reach, mode="edge")
    gain = np.convolve(padded, window / window.sum(), mode="valid")
    return sound * gain


def trimmed(sound, sample_rate_hz, lead_seconds=0.08, floor_db=-58.0, tail_seconds=0.25):
    """Cuts silence at both ends and fades the last of the tail to nothing."""
    peak = np.abs(sound).max(axis=0)
    loud = np.flatnonzero(peak > decibels(floor_db) * peak.max())
    start = max(0, loud[0] - int(lead_seconds * sample_rate_hz))
    end = min(sound.shape[1], loud[-1] + int(tail_seconds * sample_rate_hz))
    sound = sound[:, start:end].copy()
    fade = int(1.2 * sample_rate_hz)
    sound[:, -fade:] *= np.cos(np.linspace(0.0, np.pi / 2, fade)) ** 2
    rise = int(0.005 * sample_rate_hz)
    sound[:, :rise] *= np.linspace(0.0, 1.0, rise)
    return sound


def mastered(sound, sample_rate_hz, target_lufs=-17.0, ceiling_db=-2.2):
    """Trims, brings to the loudness asked for, and limits."""
    sound = trimmed(high_pass(sound, 25.0, sample_rate_hz), sample_rate_hz)
    for _ in range(3):
        sound = sound * decibels(target_lufs - loudness_lufs(sound, sample_rate_hz))
        sound = limited(sound, sample_rate_hz, ceiling_db)
    return sound


def sixteen_bit(sound, rng):
    """Rounds to 16 bits with triangular dither; returns (channels x n) int16."""
    dither = rng.random(sound.shape) - rng.random(sound.shape)
    return np.clip(np.round(sound * 32767.0 + dither), -32768, 32767).astype(np.int16)

"""Stereo tracks: placing sounds in time and between the loudspeakers, filters, rooms."""

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt


class Track:
    """A stereo buffer (`samples`, shape 2 x n) to which sounds are added."""

    def __init__(self, seconds, sample_rate_hz):
        self.sample_rate_hz = sample_rate_hz
        self.samples = np.zeros((2, int(seconds * sample_rate_hz)))

    def add(self, sound, start_seconds, pan=0.0, gain=1.0):
        """Adds a mono sound; `pan` runs from -1 (left) to 1 (right), equal power."""
        angle = (np.clip(pan, -1.0, 1.0) + 1.0) * np.pi / 4.0
        self.add_stereo(np.stack([np.cos(angle) * sound, np.sin(angle) * sound]), start_seconds, gain)

    def add_stereo(self, sound, start_seconds=0.0, gain=1.0):
        start = int(round(start_seconds * self.sample_rate_hz))
        length = min(sound.shape[1], self.samples.shape[1] - start)
        if length > 0:
            self.samples[:, start : start + length] += gain * sound[:, :length]


def decibels(value):
    """Decibels to an amplitude factor."""
    return 10.0 ** (value / 20.0)


def low_pass(sound, hz, sample_rate_hz, order=2):
    return sosfilt(butter(order, hz, "low", fs=sample_rate_hz, output="sos"), sound)


def high_pass(sound, hz, sample_rate_hz, order=2):
    return sosfilt(butter(order, hz, "high", fs=sample_rate_hz, output="sos"), sound)


def band_pass(sound, low_hz, high_hz, sample_rate_hz, order=2):
    return sosfilt(butter(order, [low_hz, high_hz], "band", fs=sample_rate_hz, output="sos"), sound)


def room(sound, sample_rate_hz, seed, decay_seconds, wet_db, pre_delay_seconds=0.015, darkness=0.5):
    """Adds a room to a stereo sound: early reflections, then noise that dies away by band.

    `decay_seconds` is the time to -60 dB in the middle of the spectrum; `darkness`
    (0 to 1) makes the top die sooner. `wet_db` is the room's energy against the direct sound.
    """
    rng = np.random.default_rng(seed)
    length = int((decay_seconds * 1.2 + pre_delay_seconds) * sample_rate_hz)
    time = np.arange(length) / sample_rate_hz
    onset = pre_delay_seconds + 0.012
    swell = np.clip((time - onset) / 0.03, 0.0, 1.0) ** 2
    bands = [(90, 250, 1.10), (250, 700, 1.05), (700, 2000, 1.0),
             (2000, 5000, 1.0 - 0.45 * darkness), (5000, 14000, 0.85 - 0.6 * darkness)]
    tilt = [0.55, 0.9, 0.8, 0.55 - 0.25 * darkness, 0.3 - 0.2 * darkness]
    impulse = np.zeros((2, length))
    for (low, high, share), level in zip(bands, tilt):
        noise = band_pass(rng.normal(size=(2, length)), low, high, sample_rate_hz)
        envelope = swell * np.exp(-6.9 * np.maximum(time - onset, 0.0) / (decay_seconds * share))
        # White noise gives a band energy by its width; equal weight per octave wants 1/sqrt(width).
        impulse += level * noise * envelope / np.sqrt((high - low) / 1000.0)
    impulse /= np.sqrt(np.sum(impulse**2, axis=1, keepdims=True))
    for channel in range(2):
        at = pre_delay_seconds + np.sort(rng.uniform(0.0, 0.055, 9))
        taps = rng.choice([-1.0, 1.0], 9) * 0.22 * np.exp(-(at - pre_delay_seconds) / 0.05)
        impulse[channel, (at * sample_rate_hz).astype(int)] += taps
    impulse = low_pass(impulse, 9000 - 4500 * darkness, sample_rate_hz, order=1)
    # Each side of the room hears mostly, not only, its own side.
    crossed = np.stack([0.75 * sound[0] + 0.45 * sound[1], 0.45 * sound[0] + 0.75 * sound[1]])
    wet = np.stack([fftconvolve(crossed[c], impulse[c])[: sound.shape[1]] for c in range(2)])
    return sound + decibels(wet_db) * wet


def compressed(sound, sample_rate_hz, threshold_db, ratio, release_seconds=0.15):
    """Gentle bus compression, one gain for both channels."""
    hop = 64
    frames = sound.shape[1] // hop + 1
    padded = np.zeros((2, frames * hop))
    padded[:, : sound.shape[1]] = sound
    power = (padded**2).mean(axis=0).reshape(frames, hop).mean(axis=1)
    smoothing = 1.0 - np.exp(-hop / (release_seconds * sample_rate_hz))
    smooth = sosfilt([[smoothing, 0.0, 0.0, 1.0, smoothing - 1.0, 0.0]], power)
    level_db = 10.0 * np.log10(np.maximum(smooth, 1e-12))
    gain_db = -np.maximum(level_db - threshold_db, 0.0) * (1.0 - 1.0 / ratio)
    at = np.arange(frames) * hop
    return sound * decibels(np.interp(np.arange(sound.shape[1]), at, gain_db))

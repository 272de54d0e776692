"""A small drum kit: each stroke computed afresh, so no two are the same."""

import numpy as np

from .mixing import Track, band_pass, high_pass
from .modes import ring


class DrumKit:
    """`play` takes strokes `(seconds, name, velocity)`; names are the methods without underscore."""

    _PAN = {"kick": 0.0, "snare": 0.06, "ghost": 0.06, "rim": 0.1, "hat": 0.38, "open_hat": 0.38,
            "ride": -0.42, "crash": -0.3, "high_tom": 0.2, "low_tom": -0.2, "shaker": -0.5}

    def __init__(self, sample_rate_hz, seed):
        self._rate = sample_rate_hz
        self._rng = np.random.default_rng(seed)
        fixed = np.random.default_rng(seed + 1)
        self._ride_hz = np.exp(fixed.uniform(np.log(420), np.log(14000), 260))
        self._ride_gain = fixed.normal(size=260) * (self._ride_hz / 3000) ** 0.35
        self._hat_hz = np.exp(fixed.uniform(np.log(3200), np.log(15000), 60))
        self._hat_gain = fixed.normal(size=60)

    def play(self, strokes, seconds):
        track = Track(seconds, self._rate)
        for at, name, velocity in strokes:
            sound = getattr(self, "_" + name)(velocity)
            tail = min(len(sound), int(0.01 * self._rate))
            sound[-tail:] *= np.linspace(1.0, 0.0, tail)
            track.add(sound, at, self._PAN[name])
        return track.samples

    def _time(self, seconds):
        return np.arange(int(seconds * self._rate)) / self._rate

    def _noise(self, time, low_hz, high_hz, decay):
        noise = band_pass(self._rng.normal(size=len(time)), low_hz, high_hz, self._rate)
        return noise * np.exp(-time / decay)

    def _drop(self, seconds, base_hz, fall_hz, fall_seconds, decay):
        """A head: a sine whose pitch falls to `base_hz`."""
        time = self._time(seconds)
        hz = base_hz + fall_hz * np.exp(-time / fall_seconds)
        rise = np.clip(time / 0.0015, 0.0, 1.0)
        return rise * np.sin(2 * np.pi * np.cumsum(hz) / self._rate) * np.exp(-time / decay)

    def _kick(self, velocity):
        sound = self._drop(0.45, 50, 120 * velocity, 0.022, 0.13)
        sound += 0.16 * velocity * self._noise(self._time(0.45), 1500, 6000, 0.004)
        return velocity * np.tanh(1.4 * sound)

    def _snare(self, velocity):
        time = self._time(0.32)
        shell = self._drop(0.32, 187, 60, 0.012, 0.055) + 0.5 * self._drop(0.32, 331, 40, 0.01, 0.04)
        wires = self._noise(time, 1800, 9500, 0.075) + 0.5 * self._noise(time, 700, 3000, 0.045)
        return velocity * (0.42 * shell + (0.25 + 0.3 * velocity) * wires)

    def _ghost(self, velocity):
        time = self._time(0.16)
        return velocity * (0.5 * self._drop(0.16, 190, 20, 0.01, 0.035) + 0.4 * self._noise(time, 2200, 8000, 0.035))

    def _rim(self, velocity):
        hz, gain = [455, 1010, 1720, 2480, 3900], [0.5, 0.5, 1.0, 0.5, 0.25]
        sound = ring(hz, 6.9 / np.array([0.06, 0.05, 0.06, 0.04, 0.03]), gain, 0.12, self._rate)
        return velocity * 0.6 * sound

    def _metal(self, hz, gain, decay, seconds):
        wander = 1.0 + self._rng.normal(0.0, 2e-4, len(hz))
        phases = self._rng.uniform(0, 6.28, len(hz))
        return ring(hz * wander, 1.0 / decay, gain, seconds, self._rate, phases) / np.sqrt(len(hz))

    def _hat(self, velocity, decay=0.028, seconds=0.16):
        time = self._time(seconds)
        tone = self._metal(self._hat_hz, self._hat_gain, decay * self._rng.uniform(0.85, 1.2, 60), seconds)
        sound = 0.5 * tone + 0.5 * self._noise(time, 6500, 15000, decay)[: len(tone)]
        sound *= np.clip(time[: len(tone)] / 0.0008, 0.0, 1.0)
        return 0.55 * velocity * high_pass(sound, 5000, self._rate)

    def _open_hat(self, velocity):
        return self._hat(velocity, decay=0.16, seconds=0.5)

    def _ride(self, velocity):
        decay = 0.26 * (3000 / self._ride_hz) ** 0.35
        wash = self._metal(self._ride_hz, self._ride_gain, decay, 1.2)
        ping = self._metal(np.array([2750.0, 4130.0, 5420.0, 6890.0]), np.ones(4), np.full(4, 0.05), 1.2)
        return 0.42 * velocity * high_pass(0.6 * wash + 0.45 * ping, 350, self._rate)

    def _crash(self, velocity):
        time = self._time(2.4)
        decay = 0.75 * (3000 / self._ride_hz) ** 0.4
        wash = self._metal(self._ride_hz * 1.07, self._ride_gain, decay, 2.4)
        hiss = self._noise(time, 3000, 14000, 0.45)
        sound = (wash + 0.5 * hiss) * np.clip(time / 0.004, 0.0, 1.0)
        return 0.5 * velocity * high_pass(sound, 500, self._rate)

    def _high_tom(self, velocity):
        return velocity * (self._drop(0.5, 138, 45, 0.03, 0.14) + 0.1 * self._noise(self._time(0.5), 800, 4000, 0.02))

    def _low_tom(self, velocity):
        return velocity * (self._drop(0.6, 92, 38, 0.035, 0.18) + 0.1 * self._noise(self._time(0.6), 600, 3500, 0.02))

    def _shaker(self, velocity):
        time = self._time(0.11)
        swish = np.sin(np.pi * np.clip(time / 0.085, 0.0, 1.0)) ** 1.5
        return 0.22 * velocity * swish * band_pass(self._rng.normal(size=len(time)), 4500, 12000, self._rate)

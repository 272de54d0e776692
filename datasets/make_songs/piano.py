"""A grand piano: stiff strings in groups of three, hammer, soundboard, dampers, pedal."""

import numpy as np

from .mixing import Track, decibels
from .modes import ring, through
from .score import frequency_hz

_DETUNE_CENTS = np.array([-0.35, 0.05, 0.5])
# The three strings first move together (loud, short), later against each other (soft, long).
_STRING_GAIN = np.array([1.0, 0.45, 0.13])
_STRING_DECAY = np.array([4.5, 1.6, 0.5])


class Piano:
    def __init__(self, sample_rate_hz, seed):
        self._rate = sample_rate_hz
        rng = np.random.default_rng(seed)
        # The soundboard's uneven answer over frequency: smooth random decibels.
        self._board_hz = np.geomspace(25, 18000, 90)
        self._board_db = np.convolve(rng.normal(0.0, 4.0, 92), [0.3, 0.4, 0.3], "valid")
        self._knock = [self._hammer_knock(rng) for _ in range(6)]
        self._pedal = [self._open_strings(rng) for _ in range(2)]
        self._rng = rng

    def _board(self, hz):
        uneven = np.interp(np.log(hz), np.log(self._board_hz), self._board_db)
        bass_loss = 1.0 / np.sqrt(1.0 + (75.0 / hz) ** 3)
        return decibels(uneven) * bass_loss

    def _hammer_knock(self, rng):
        hz = np.exp(rng.uniform(np.log(70), np.log(1500), 40))
        gain = rng.normal(size=40) * (120 / hz) ** 0.4
        return ring(hz, 6.9 / rng.uniform(0.04, 0.16, 40), gain, 0.25, self._rate)

    def _open_strings(self, rng):
        """Impulse response of all undamped strings, for the pedal's halo."""
        keys = np.repeat(np.arange(28, 90), 4)
        hz = frequency_hz(keys) * np.tile(np.arange(1, 5), 62) * (1 + rng.normal(0, 3e-4, 248))
        gain = rng.normal(size=248) / np.tile(np.arange(1, 5), 62)
        ring_seconds = 2.6 * (200.0 / hz) ** 0.45
        impulse = ring(hz, 6.9 / ring_seconds, gain, 2.0, self._rate, rng.uniform(0, 6.28, 248))
        rise = int(0.03 * self._rate)
        impulse[:rise] *= np.linspace(0.0, 1.0, rise)
        return impulse / np.sqrt(np.sum(impulse**2))

    def note(self, midi, velocity, held_seconds):
        """One key from the hammer to the damper's end (mono)."""
        f0 = frequency_hz(midi)
        stiffness = np.exp(-0.0847 * midi - 5.82) + np.exp(0.0926 * midi - 13.64)
        count = int(min(90, 13000 / f0))
        n = np.arange(1, count + 1)
        hz = n * f0 * np.sqrt(1.0 + stiffness * n**2)
        # A faster hammer is in contact for less time and so excites higher partials.
        cutoff = (400 + 1300 * velocity**1.3) * (f0 / 262.0) ** 0.38
        strike = np.abs(np.sin(np.pi * n * 0.123)) + 0.04
        soft, hard = np.exp(-hz / cutoff), np.exp(-hz / (3.6 * cutoff))
        amplitude = strike * n**-0.4 * (soft + 0.05 * hard) * self._board(hz)
        # Voicing: a technician makes the keys even; the bass stays a little fuller.
        amplitude /= np.sqrt(np.sum(amplitude**2))
        amplitude *= velocity**1.5 * (262.0 / f0) ** 0.04
        ring_seconds = 11.0 * (262.0 / f0) ** 0.55
        decay = 6.9 / ring_seconds + 0.55 * (hz / 1000.0) ** 1.25
        unequal = self._rng.uniform(0.8, 1.25, count)
        modes_hz = np.outer(2.0 ** (_DETUNE_CENTS / 1200.0), hz).ravel()
        modes_decay = np.outer(_STRING_DECAY, decay * unequal).ravel()
        modes_gain = np.outer(_STRING_GAIN, amplitude).ravel()
        # The damper needs longer for long strings.
        damper = 0.07 * (262.0 / f0) ** 0.35
        seconds = held_seconds + 7.0 * damper
        sound = ring(modes_hz, modes_decay, modes_gain, seconds, self._rate)
        rise = int((0.0032 - 0.002 * velocity) * (262.0 / f0) ** 0.2 * self._rate) + 2
        sound[:rise] *= np.sin(np.linspace(0.0, np.pi / 2, rise)) ** 2
        time = np.arange(len(sound)) / self._rate
        sound *= np.exp(-np.maximum(time - held_seconds, 0.0) / damper)
        knock = self._knock[self._rng.integers(len(self._knock))]
        length = min(len(knock), len(sound))
        sound[:length] += 0.016 * velocity**1.8 * knock[:length]
        return sound

    def play(self, notes, seconds, pedal_halo=0.05):
        """Renders notes whose durations already include the pedal; returns a stereo array."""
        track = Track(seconds, self._rate)
        for note in notes:
            sound = self.note(note.pitch, note.velocity, note.duration)
            # The player's view: bass left, treble right, and a hair later at the far ear.
            pan = np.clip((note.pitch - 60.0) / 60.0, -0.4, 0.4)
            track.add(sound, note.start, pan)
        dry = track.samples
        halo = np.stack([through(dry[c], self._pedal[c]) for c in range(2)])
        return dry + pedal_halo * halo

"""Instruments drawn by lot, quick to compute: sums of partials, and drums of noise and sines."""

import numpy as np
from make_songs.mixing import band_pass, high_pass
from make_songs.modes import ring
from make_songs.score import frequency_hz


class RandomInstrument:
    """A tone with partials, attack and decay of its own; every key is computed once."""

    _LONGEST_SECONDS = 4.0

    def __init__(self, rng, sample_rate_hz, role):
        self._rng, self._rate = rng, sample_rate_hz
        struck = rng.random() < {"bass": 0.8, "melody": 0.5}.get(role, 0.7)
        self._tilt = rng.uniform(0.4, 2.2)
        self._even = rng.uniform(0.2, 1.0)
        self._cutoff_hz = np.exp(rng.uniform(np.log(500), np.log(6000)))
        self._stretch = rng.choice([0.0, 0.0, 1e-4, 1e-3]) if struck else 0.0
        self._decay = np.exp(rng.uniform(np.log(0.7), np.log(9.0))) if struck else 0.0
        self._treble_loss = rng.uniform(0.3, 4.0) if struck else 0.0
        slowest = 0.006 if struck else 0.14
        self._attack = np.exp(rng.uniform(np.log(0.001), np.log(slowest)))
        self._release = np.exp(rng.uniform(np.log(0.02), np.log(0.4)))
        self._vibrato = 0.0 if struck else rng.choice([0.0, rng.uniform(0.02, 0.3)])
        self._noise = rng.choice([0.0, rng.uniform(0.002, 0.08)])
        self._click = rng.choice([0.0, rng.uniform(0.01, 0.2)]) if struck else 0.0
        self._detune = rng.choice([0.0, rng.uniform(0.0005, 0.006)])
        self._tones = {}

    def _tone(self, midi):
        if midi not in self._tones:
            hz = float(frequency_hz(midi))
            n = np.arange(1, int(min(24, 9500 / hz)) + 1)
            partials = n * hz * np.sqrt(1.0 + self._stretch * n**2)
            gain = n**-self._tilt * np.exp(-partials / self._cutoff_hz)
            gain = gain * np.where(n % 2 == 0, self._even, 1.0)
            gain /= np.sqrt(np.sum(gain**2))
            decay = self._decay * (hz / 262.0) ** 0.4 + self._treble_loss * partials / 1000.0
            phases = self._rng.uniform(0, 6.28, len(n))
            if self._detune:
                partials = np.concatenate([partials, partials * (1 + self._detune)])
                gain, decay = np.tile(0.7 * gain, 2), np.tile(decay, 2)
                phases = np.tile(phases, 2)
            sound = ring(partials, decay, gain, self._LONGEST_SECONDS, self._rate, phases)
            if self._noise:
                sound = sound + self._noise * self._rng.normal(size=len(sound)) * np.abs(sound)
            if self._vibrato:
                time = np.arange(len(sound)) / self._rate
                sound = sound * (1 + self._vibrato * np.sin(6.28 * self._rng.uniform(4, 7) * time))
            self._tones[midi] = sound
        return self._tones[midi]

    def _shape(self, time, duration):
        return self._rise(time, duration) * np.exp(
            -np.maximum(time - duration, 0.0) / self._release
        )

    def _rise(self, time, duration):
        """How loud a key is while it is held."""
        return np.minimum(1.0, time / self._attack)

    def play(self, notes, length):
        """Notes in seconds, mixed into `length` samples."""
        out = np.zeros(length)
        for note in notes:
            start = int(note.start * self._rate)
            tone = self._tone(int(note.pitch))
            size = min(
                int((note.duration + 4 * self._release) * self._rate), len(tone), length - start
            )
            if start < 0 or size < 16:
                continue
            time = np.arange(size) / self._rate
            shape = self._shape(time, note.duration)
            shape[-16:] *= np.linspace(1.0, 0.0, 16)
            out[start : start + size] += note.velocity**1.4 * shape * tone[:size]
            click = min(size, 200)
            if self._click:
                burst = self._rng.normal(size=click) * np.exp(-np.arange(click) / 40.0)
                out[start : start + click] += self._click * note.velocity * burst
        return out


class HeldInstrument(RandomInstrument):
    """Bowed or blown: it begins softly, may swell, and its partials go through a body."""

    _LONGEST_SECONDS = 6.0

    def __init__(self, rng, sample_rate_hz, role):
        super().__init__(rng, sample_rate_hz, role)
        self._stretch = self._decay = self._treble_loss = self._click = 0.0
        self._tilt = rng.uniform(0.6, 1.8)
        self._attack = np.exp(rng.uniform(np.log(0.015), np.log(0.16)))
        self._release = np.exp(rng.uniform(np.log(0.03), np.log(0.35)))
        self._swell = rng.choice([0.0, rng.uniform(0.1, 0.7)])
        self._vibrato = rng.choice([0.0, rng.uniform(0.02, 0.2)])
        self._noise = rng.choice([0.0, rng.uniform(0.01, 0.12)])

    def _rise(self, time, duration):
        # Straight from nothing would have a corner that nothing bowed has.
        rise = np.minimum(1.0, time / self._attack)
        shape = 0.5 - 0.5 * np.cos(np.pi * rise)
        place = np.clip(time / max(duration, 0.2), 0.0, 1.0)
        return shape * (1.0 - self._swell + self._swell * np.sin(np.pi * place) ** 0.5)


class PluckedInstrument(RandomInstrument):
    """Plucked: bright at once, dying away, its upper partials first."""

    def __init__(self, rng, sample_rate_hz, role):
        super().__init__(rng, sample_rate_hz, role)
        self._attack = np.exp(rng.uniform(np.log(0.0008), np.log(0.004)))
        self._decay = np.exp(rng.uniform(np.log(0.8), np.log(5.0)))
        self._treble_loss = rng.uniform(0.8, 5.0)
        self._vibrato = self._noise = 0.0
        self._tilt, self._even = rng.uniform(0.5, 1.6), rng.uniform(0.1, 1.0)


class RandomDrums:
    """Drums whose sizes are drawn by lot; each is computed once."""

    def __init__(self, rng, sample_rate_hz):
        self._rate, self._sounds = sample_rate_hz, {}
        time = np.arange(int(1.2 * sample_rate_hz)) / sample_rate_hz

        def head(low, high, fall, decay):
            hz = rng.uniform(low, high) * (
                1.0 + rng.uniform(*fall) * np.exp(-time / rng.uniform(0.01, 0.05))
            )
            tone = np.sin(2 * np.pi * np.cumsum(hz) / sample_rate_hz)
            return tone * np.exp(-time / rng.uniform(*decay)) * np.minimum(1.0, time / 0.001)

        def noise(low, high, decay):
            sound = band_pass(rng.normal(size=len(time)), low, high, sample_rate_hz)
            return sound * np.exp(-time / rng.uniform(*decay))

        top = 0.45 * sample_rate_hz
        brush = rng.uniform(0.3, 1.2)
        self._sounds = {
            "kick": 1.3 * head(42, 70, (1.0, 3.0), (0.06, 0.2))
            + rng.uniform(0, 0.3) * noise(1500, 6000, (0.003, 0.01)),
            "snare": rng.uniform(0.2, 0.7) * head(150, 240, (0.1, 0.5), (0.03, 0.08))
            + brush * noise(rng.uniform(500, 2000), top, (0.04, 0.14)),
            "clap": 1.2 * noise(800, 4000, (0.03, 0.1)),
            "hat": 0.6 * noise(rng.uniform(4000, 7000), top, (0.012, 0.05)),
            "open_hat": 0.6 * noise(rng.uniform(4000, 7000), top, (0.1, 0.3)),
            "pedal": 0.5 * noise(5000, top, (0.02, 0.05)),
            "shaker": 0.5 * noise(4000, top, (0.03, 0.06)) * np.minimum(1.0, time / 0.03),
            "ride": self._metal(rng, rng.uniform(0.15, 0.5)),
            "crash": self._metal(rng, rng.uniform(0.4, 0.9)) + 0.4 * noise(3000, top, (0.3, 0.6)),
            "tom": 1.1 * head(80, 220, (0.2, 0.5), (0.08, 0.25)),
            "wood": 0.8 * head(600, 1800, (0.0, 0.1), (0.01, 0.04)),
        }

    def _metal(self, rng, decay):
        hz = np.exp(rng.uniform(np.log(400), np.log(10000), 60))
        sound = ring(
            hz,
            np.full(60, 1.0 / decay),
            rng.normal(size=60),
            1.2,
            self._rate,
            rng.uniform(0, 6.28, 60),
        )
        return 0.5 * high_pass(sound / np.sqrt(60.0), 300, self._rate)

    def play(self, strokes, length):
        out = np.zeros(length)
        for at, name, velocity in strokes:
            start, sound = int(at * self._rate), self._sounds[name]
            size = min(len(sound), length - start)
            if start >= 0 and size > 0:
                out[start : start + size] += velocity**1.3 * sound[:size]
        return out

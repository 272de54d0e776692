"""A string section: several players on one line, each with a bow, a vibrato and a place."""

from dataclasses import replace

import numpy as np

from .lines import Touch, Wavetable, audio_rate, drawn
from .mixing import Track, band_pass, low_pass
from .modes import body_impulse, through

VIOLIN_TOUCH = Touch(attack=0.05, release=0.10, vibrato_cents=15.0, scoop_cents=12.0, accent=0.35)
CELLO_TOUCH = Touch(attack=0.07, release=0.14, vibrato_hz=5.0, vibrato_cents=11.0, glide=0.018,
                    accent=0.3)


def violin_body(sample_rate_hz, rng):
    """Air mode at 275 Hz, the two plate modes near 450 and 550 Hz, the bridge hill near 2.5 kHz."""
    main = [(275, 0.5, 0.04), (405, 0.3, 0.035), (455, 0.5, 0.035), (545, 0.6, 0.03),
            (1050, 0.5, 0.012), (2400, 1.1, 0.0035), (3100, 0.9, 0.003)]
    return body_impulse(rng, sample_rate_hz, main, (600, 5600), 40, direct=0.6)


def cello_body(sample_rate_hz, rng):
    main = [(102, 0.12, 0.05), (175, 0.4, 0.05), (205, 0.3, 0.05), (400, 0.4, 0.03),
            (1000, 0.6, 0.008), (1800, 0.5, 0.004)]
    return body_impulse(rng, sample_rate_hz, main, (230, 3200), 40, direct=0.7)


class StringSection:
    """`players` players of one kind, spread by `width` around `pan`."""

    def __init__(self, sample_rate_hz, seed, body, touch, players, pan, width, top_hz):
        self._rate, self._touch, self._players = sample_rate_hz, touch, players
        self._pan, self._width, self._top_hz = pan, width, top_hz
        self._rng = np.random.default_rng(seed)
        self._bodies = [body(sample_rate_hz, self._rng) for _ in range(players)]
        # A bowed string moves as a sawtooth; slow bows leave the corner round.
        self._soft = Wavetable(lambda n, hz: np.exp(-n * hz / 2600.0) / n, sample_rate_hz, seed)
        self._full = Wavetable(lambda n, hz: np.exp(-n * hz / 11000.0) / n, sample_rate_hz, seed)

    def play(self, notes, seconds):
        track = Track(seconds, self._rate)
        length = track.samples.shape[1]
        for player in range(self._players):
            sound = low_pass(self._line(notes, seconds, length, player), self._top_hz, self._rate)
            place = 0.0 if self._players == 1 else 2.0 * player / (self._players - 1) - 1.0
            track.add(sound / np.sqrt(self._players), 0.0, self._pan + self._width * place)
        return track.samples

    def _line(self, notes, seconds, length, player):
        rng = self._rng
        cents, late = rng.normal(0.0, 3.0), abs(rng.normal(0.0, 0.006))
        mine = [replace(note, start=note.start + late + rng.normal(0, 0.005), pitch=note.pitch + cents / 100)
                for note in notes]
        touch = replace(self._touch, vibrato_hz=self._touch.vibrato_hz * rng.uniform(0.94, 1.06))
        curves = drawn(mine, seconds, touch, rng)
        loudness = audio_rate(curves.loudness, self._rate, length)
        pitch = audio_rate(curves.pitch, self._rate, length)
        wobble = 1.0 + 0.08 * audio_rate(curves.vibrato, self._rate, length)
        bright = np.clip(1.25 * loudness - 0.08, 0.0, 1.0)
        # The soft table only changes colour: both share their phases, so they blend cleanly.
        sound = (1.0 - bright) * self._soft.sound(pitch) + bright * self._full.sound(pitch)
        hiss = band_pass(rng.normal(size=length), 900, 6500, self._rate) * 0.035
        sound = (sound * wobble + hiss) * loudness**1.15
        return through(sound, self._bodies[player])

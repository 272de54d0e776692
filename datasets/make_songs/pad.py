"""A bowed-glass drone: slow chords of slightly detuned soft tones that breathe."""

import numpy as np

from .lines import Touch, Wavetable, audio_rate, drawn
from .mixing import Track
from .score import Note

_TOUCH = Touch(attack=1.6, release=2.4, glide=0.03, vibrato_hz=0.23, vibrato_cents=2.0,
               vibrato_delay=0.0, drift_cents=2.5, swell=0.3)


class Pad:
    def __init__(self, sample_rate_hz, seed):
        self._rate = sample_rate_hz
        self._rng = np.random.default_rng(seed)
        self._dark = Wavetable(lambda n, hz: np.exp(-n * hz / 420.0) / n**0.8, sample_rate_hz, seed)
        self._open = Wavetable(lambda n, hz: np.exp(-n * hz / 1300.0) / n**0.8, sample_rate_hz, seed)

    def play(self, voices, seconds):
        """`voices` is a list of lines of notes; returns a stereo array."""
        track = Track(seconds, self._rate)
        length = track.samples.shape[1]
        for number, notes in enumerate(voices):
            for cents, pan in ((-5.0, -0.7), (0.4, 0.0), (4.0, 0.7)):
                detuned = [Note(n.start, n.duration, n.pitch + cents / 100, n.velocity) for n in notes]
                curves = drawn(detuned, seconds, _TOUCH, self._rng)
                loudness = audio_rate(curves.loudness, self._rate, length)
                pitch = audio_rate(curves.pitch, self._rate, length)
                wave = 0.5 + 0.5 * np.sin(2 * np.pi * np.arange(length) / self._rate / (7.0 + number) + number)
                bright = np.clip(loudness * (0.35 + 0.65 * wave), 0.0, 1.0)
                sound = (1 - bright) * self._dark.sound(pitch) + bright * self._open.sound(pitch)
                track.add(sound * loudness, 0.0, pan * (0.5 + 0.12 * number))
        return track.samples / np.sqrt(3.0 * len(voices))

"""An electric piano: tine and bar by frequency modulation, a pickup that growls, tremolo."""

import numpy as np

from .mixing import Track
from .score import frequency_hz


class ElectricPiano:
    def __init__(self, sample_rate_hz, tremolo_hz=4.3, tremolo_depth=0.28):
        self._rate = sample_rate_hz
        self._tremolo_hz, self._tremolo_depth = tremolo_hz, tremolo_depth

    def note(self, midi, velocity, held_seconds):
        hz = float(frequency_hz(midi))
        time = np.arange(int((held_seconds + 0.5) * self._rate)) / self._rate
        body = 3.2 * (262.0 / hz) ** 0.35
        angle = 2 * np.pi * hz * time
        depth = (0.35 + 1.5 * velocity**1.6) * np.exp(-time / (0.35 * body)) * min(1.0, 500.0 / hz)
        tone = np.sin(angle + depth * np.sin(angle)) * np.exp(-time / body)
        tine = np.sin(angle * 7.03 + 0.6 * np.sin(angle)) * np.exp(-time / 0.11) if hz * 8 < 18000 else 0.0
        tone = tone + 0.20 * velocity**1.5 * tine
        # The pickup answers more to one side of the swing than to the other.
        tone = tone + 0.16 * velocity * (tone**2 - 0.5)
        release = np.exp(-np.maximum(time - held_seconds, 0.0) / 0.09)
        rise = np.clip(time / 0.0025, 0.0, 1.0)
        return velocity**1.2 * tone * release * rise

    def play(self, notes, seconds):
        """Renders notes; returns a stereo array that sways between the sides."""
        track = Track(seconds, self._rate)
        for note in notes:
            track.add(self.note(note.pitch, note.velocity, note.duration), note.start)
        time = np.arange(track.samples.shape[1]) / self._rate
        sway = self._tremolo_depth * np.sin(2 * np.pi * self._tremolo_hz * time)
        return np.tanh(0.3 * track.samples) * np.stack([1.0 + sway, 1.0 - sway])

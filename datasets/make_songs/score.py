"""Notes, note names and tempo."""

import re
from dataclasses import dataclass

import numpy as np

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME = re.compile(r"([A-G])([#b]*)(-?\d)")


@dataclass(frozen=True)
class Note:
    """A note in seconds; `pitch` is a MIDI number (60 = C4), `velocity` 0 to 1."""

    start: float
    duration: float
    pitch: float
    velocity: float

    @property
    def end(self):
        return self.start + self.duration


def pitch(name):
    """MIDI number of a note name: `pitch("F#4") == 66`."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"not a note name: {name!r} (expected e.g. C4, F#3, Bb5)")
    step, accidentals, octave = match.groups()
    shift = accidentals.count("#") - accidentals.count("b")
    return 12 * (int(octave) + 1) + _STEPS[step] + shift


def pitches(names):
    """MIDI numbers of names separated by blanks."""
    return [pitch(name) for name in names.split()]


def frequency_hz(midi):
    """Equal temperament, A4 = 440 Hz."""
    return 440.0 * 2.0 ** ((np.asarray(midi, dtype=float) - 69.0) / 12.0)


def phrase(text, start=0.0, unit=1.0):
    """Reads `"A4:1 C5:2 r:1 ..."` as `(start_beat, beats, midi)`, lengths in `unit` beats.

    `r` is a rest; `|` may stand between bars.
    """
    events, beat = [], start
    for word in text.replace("|", " ").split():
        name, length = word.split(":")
        beats = float(length) * unit
        if name != "r":
            events.append((beat, beats, pitch(name)))
        beat += beats
    return events


class Tempo:
    """Beats to seconds; the tempo moves in straight lines between `(beat, bpm)` points."""

    def __init__(self, points):
        beats, bpm = np.array(points, dtype=float).T
        self._beats = np.arange(beats[0], beats[-1] + 16.0, 1.0 / 32.0)
        seconds_per_beat = 60.0 / np.interp(self._beats, beats, bpm)
        steps = 0.5 * (seconds_per_beat[1:] + seconds_per_beat[:-1]) / 32.0
        self._seconds = np.concatenate([[0.0], np.cumsum(steps)])

    def seconds(self, beat):
        return float(np.interp(beat, self._beats, self._seconds))


def dynamics(points):
    """A loudness curve over beats, straight between `(beat, velocity)` points."""
    beats, levels = np.array(points, dtype=float).T
    return lambda beat: float(np.interp(beat, beats, levels))


def humanised(rng, seconds=0.006, velocity=0.03):
    """A function that shifts a start time and a velocity by a little, as hands do."""

    def shift(start, level):
        late = float(np.clip(rng.normal(0.0, seconds), -2.5 * seconds, 2.5 * seconds))
        return max(0.0, start + late), float(np.clip(level + rng.normal(0.0, velocity), 0.03, 1.0))

    return shift

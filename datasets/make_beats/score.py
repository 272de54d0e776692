"""What is played, in beats: parts of notes, the metre, and how beats become seconds."""

from dataclasses import dataclass, field

import numpy as np
from make_songs.score import Note


@dataclass
class Part:
    """Notes of one player: `(beat, beats, midi, velocity)`; of drums `(beat, name, velocity)`."""

    role: str
    notes: list


@dataclass
class Score:
    """A piece. Beat 0 is the first downbeat; an upbeat has beats below 0."""

    beats_in_bar: int
    beats_per_minute: float
    beats: float
    parts: list[Part]
    # Where the middle of a swung unit lies (0.5 is straight), and the unit in beats.
    swing: float = 0.5
    swing_unit: float = 1.0
    name: str = field(default="")


class Timing:
    """Beats to seconds: a tempo that may drift, breathe with the phrases and slow at the end."""

    _STEP = 1.0 / 16.0

    def __init__(self, score, rng, drift=0.0, rubato=0.0, slowing=0.0, phrase_bars=4):
        self._score = score
        beats = np.arange(-8.0, score.beats + 24.0, self._STEP)
        length = len(beats)
        wander = np.cumsum(rng.normal(size=length)) * np.sqrt(self._STEP / 16.0)
        pace = drift * np.clip(wander, -2.0, 2.0)
        if rubato:
            phrase = phrase_bars * score.beats_in_bar
            place = np.mod(beats, phrase) / phrase
            # Forward in the middle of a phrase, held back at its end.
            pace = pace + rubato * (0.5 * np.sin(np.pi * place) - 1.2 * place**6)
            pace = pace + 0.3 * rubato * np.interp(
                beats, np.arange(-8, score.beats + 25), rng.normal(size=int(score.beats) + 33)
            )
        left = score.beats - beats
        pace = pace - slowing * np.clip(1.0 - left / (1.5 * score.beats_in_bar), 0.0, 1.0) ** 2
        seconds = 60.0 / score.beats_per_minute * np.exp(-np.clip(pace, -1.0, 1.0))
        self._beats = beats
        self._seconds = np.concatenate([[0.0], np.cumsum(0.5 * (seconds[1:] + seconds[:-1]))])
        self._seconds *= self._STEP
        self._seconds -= np.interp(0.0, beats, self._seconds)

    def plain(self, beat):
        """When a beat is, in seconds after the first downbeat."""
        return float(np.interp(beat, self._beats, self._seconds))

    def seconds(self, beat):
        """When a note at `beat` is played, which swing may delay."""
        unit, middle = self._score.swing_unit, self._score.swing
        whole, part = np.floor(beat / unit + 1e-9) * unit, np.mod(beat / unit + 1e-9, 1.0)
        if middle != 0.5 and part > 1e-6:
            late = part * 2 * middle if part <= 0.5 else middle + (part - 0.5) * 2 * (1 - middle)
            return self.plain(whole + late * unit)
        return self.plain(beat)


def played(part, timing, rng, jitter_seconds, late_seconds=0.0):
    """The notes of a part in seconds after the first downbeat, as hands would play them."""
    if part.role == "drums":
        return [
            (timing.seconds(beat) + rng.normal(0.0, jitter_seconds), name, velocity)
            for beat, name, velocity in part.notes
        ]
    notes = []
    for beat, beats, midi, velocity in part.notes:
        start = timing.seconds(beat) + rng.normal(late_seconds, jitter_seconds)
        level = float(np.clip(velocity * (1.0 + rng.normal(0.0, 0.04)), 0.05, 1.0))
        notes.append(Note(start, max(0.04, timing.seconds(beat + beats) - start), midi, level))
    return sorted(notes, key=lambda note: note.start)


def truth(score, timing):
    """`(seconds after the first downbeat, beat of the bar from 1)` of every beat that is played."""
    onsets = [note[0] for part in score.parts for note in part.notes]
    first, last = int(np.ceil(min(onsets) - 1e-6)), int(np.floor(max(onsets) + 1e-6))
    return [(timing.plain(beat), beat % score.beats_in_bar + 1) for beat in range(first, last + 1)]

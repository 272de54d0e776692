"""Plain scores: a note at every beat, hardly anything between them, bars to be counted."""

import numpy as np

from .random_score import Harmony, Metre
from .score import Part, Score

_BEATS_IN_BAR = [2, 3, 4, 5, 6, 7]
_HOW_OFTEN = [0.08, 0.36, 0.4, 0.06, 0.05, 0.05]
_GROUPS = {2: [1, 1], 3: [3], 4: [2, 2], 5: [3, 2], 6: [3, 3], 7: [4, 3]}
_SLOWEST, _USUAL, _FASTEST = 72.0, 112.0, 172.0


def _tempo(rng):
    while True:
        tempo = _USUAL * np.exp(rng.normal(0.0, 0.24))
        if _SLOWEST <= tempo <= _FASTEST:
            return float(tempo)


def _divided(rng, beats, share):
    """Every beat, and of some the middle."""
    return [
        b + part for b in range(beats) for part in (0.0, 0.5) if not part or rng.random() < share
    ]


def _struck(rng, metre, harmony, bars, share):
    """A note a beat: where the bar begins deeper, or louder, or of another chord only."""
    low = int(rng.integers(45, 70))
    deeper = int(rng.choice([0, 12, 24], p=[0.3, 0.35, 0.35]))
    accent = rng.uniform(0.0, 0.6)
    short = rng.uniform(0.3, 1.0)
    tone = rng.choice(["root", "up", "any"])
    notes = []
    for bar in range(bars):
        for place in _divided(rng, metre.beats, share):
            beat = bar * metre.beats + place
            chord = harmony.chord(beat, low, 4)
            index = {"root": 0, "up": int(place) % 4, "any": int(rng.integers(4))}[tone]
            midi = chord[0] - deeper if place == 0.0 else chord[index]
            level = 0.5 * (1.0 + accent * (metre.weight(place) - 0.5))
            notes.append((beat, short * (0.5 if share else 1.0), midi, level))
    return Part("melody", notes)


def _held(rng, metre, harmony, bars):
    low = int(rng.integers(48, 60))
    notes = [
        (float(bar * metre.beats), metre.beats * 0.98, midi, 0.35)
        for bar in range(bars)
        for midi in harmony.chord(bar * metre.beats, low)
    ]
    return Part("chords", notes)


def _sung(rng, metre, harmony, bars):
    """A melody of whole beats, some of them held."""
    low = int(rng.integers(60, 74))
    notes = []
    for bar in range(bars):
        at = [b for b in range(metre.beats) if b == 0 or rng.random() < 0.7]
        for place, following in zip(at, [*at[1:], metre.beats], strict=True):
            beat = float(bar * metre.beats + place)
            tones = harmony.chord(beat, low, 4)
            notes.append((beat, (following - place) * 0.9, tones[int(rng.integers(4))], 0.5))
    return Part("melody", notes)


def _clicks(rng, metre, bars, share):
    one, other = rng.choice(["kick", "wood", "snare", "tom", "hat"], 2, replace=False)
    accent = rng.uniform(0.0, 0.5)
    return Part(
        "drums",
        [
            (
                bar * metre.beats + place,
                str(one if place == 0.0 else other),
                0.6 * (1.0 + accent * (metre.weight(place) - 0.5)),
            )
            for bar in range(bars)
            for place in _divided(rng, metre.beats, share)
        ],
    )


def plain_score(rng, seconds):
    """A score of about `seconds`, with one to four parts."""
    beats = int(rng.choice(_BEATS_IN_BAR, p=_HOW_OFTEN))
    metre, tempo = Metre(beats, 2, _GROUPS[beats]), _tempo(rng)
    bars = max(3, int(np.ceil(seconds * tempo / 60.0 / beats)) + 1)
    harmony = Harmony(rng, metre, bars)
    share = float(rng.choice([0.0, 0.0, 0.06, 0.2]))
    clicks = rng.random() < 0.3
    parts = [_clicks(rng, metre, bars, share)] if clicks else []
    if not clicks or rng.random() < 0.5:
        parts.append(_struck(rng, metre, harmony, bars, share))
    if rng.random() < 0.5:
        parts.append(_held(rng, metre, harmony, bars))
    if rng.random() < 0.3:
        parts.append(_sung(rng, metre, harmony, bars))
    return Score(beats, tempo, bars * beats, parts)

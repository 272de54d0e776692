"""Scores that are easily miscounted: slow ensembles, dances in two, basses off the beat.

What sounds alike at half or twice the tempo is told apart by its manner: how often the harmony
changes, where the bass lies, how finely the upper voices move.
"""

import numpy as np

from .patterned_score import _drums, filled
from .random_score import _PROGRESSIONS, Harmony, Metre
from .score import Part, Score

_T = 1.0 / 3.0
# Places of a bar where a bass or a chord may be played, one row a manner.
_TWO_BASS = [
    [0, 0.75, 1, 1.5], [0, 0.75, 1.5], [0, 1.5], [0, 1], [0, 0.75, 1], [0, 0.5, 1, 1.5], [0],
    [0, 1.75], [0, 0.5, 1.5], [0, 0.75, 1.25, 1.5],
]  # fmt: skip
_TWO_CHORDS = [
    [0.75, 1, 1.5], [0.5, 1.5], [0.5, 0.75, 1.5], [0, 0.5, 1, 1.5], [0.5, 1, 1.5], [0.75, 1],
    [1, 1.5], [0.25, 0.5, 1.25, 1.5], [0, 0.75, 1.5], [0.5, 0.75, 1.25, 1.5],
]  # fmt: skip
_THREE_BASS = [[0], [0], [0, 2], [0, 1, 2], [0, 1.5], [0, 1]]
_THREE_CHORDS = [
    [1, 2], [1], [1, 2.5], [0, 1], [0, 1, 2], [0.5, 1, 1.5, 2, 2.5], [0], [1.5, 2],
]  # fmt: skip
_FOUR_BASS = [[0, 1, 2, 3], [0, 2], [0, 2], [0], [0, 1.5, 2, 3.5], [0, 2.5], [0, 3]]
_FOUR_CHORDS = [
    [0, 1, 2, 3], [0, 2], [0], [1, 3], [0, 1.5], [0.5, 1.5, 2.5, 3.5], [1, 2, 3], [0, 1, 2],
]  # fmt: skip
_COMPOUND_BASS = [[0, 1], [0, 1], [0], [0, 2 * _T, 1, 5 * _T], [0, 2 * _T, 1], [0, 1, 5 * _T]]
_COMPOUND_CHORDS = [
    [2 * _T, 5 * _T], [_T, 2 * _T, 4 * _T, 5 * _T], [0, 1], [0], [2 * _T, 1, 5 * _T],
    [0, 2 * _T, 1, 5 * _T], [_T, 4 * _T], [p * _T for p in range(6)],
]  # fmt: skip
_SIX_BASS = [[0, 3], [0, 3], [0], [0, 2, 3, 5], [0, 3, 5]]
_SIX_CHORDS = [[1, 2, 4, 5], [2, 5], [1, 4], [0, 3], [0, 1, 2, 3, 4, 5], [0], [2, 3, 5]]
_POLKA_BASS = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2]]
_POLKA_CHORDS = [[0.5, 1.5, 2.5, 3.5]]
_OFF_BASS = [
    [0.5, 1.5, 2.5, 3.5], [0.5, 0.75, 1.5, 1.75, 2.5, 2.75, 3.5, 3.75], [0.5, 1.5, 2.5, 3.25, 3.5],
]  # fmt: skip
_OFF_CHORDS = [[0], [0, 1.5], [0, 0.75, 1.5, 2.5], [0, 2], [0, 0.75, 1.5, 2.25, 3], [1, 3]]
_GROOVE_BASS = [
    [0, 0.75, 2.5], [0, 0.75, 2, 2.75], [0, 1.75, 2, 3.5], [0, 1.5, 1.75, 2.5, 3.25],
    [0, 0.75, 1.5],
]  # fmt: skip
_GROOVE_CHORDS = [
    [0, 1.5, 2.75], [1, 3], [0, 0.75, 1.5, 2.5], [0, 0.75, 2.5, 3.25], [0.5, 1.5, 2.5, 3.5], [0],
]  # fmt: skip
_TWELVE_BASS, _TWELVE_CHORDS = [[0, 2], [0], [0, 1, 2, 3]], [[0], [0, 2], [0, 1, 2, 3]]
_FIVE_BASS = [[0, 3], [0], [0, 3, 4], [0, 1.5, 3]]
_FIVE_CHORDS = [[0, 1.5, 3], [1, 2, 4], [0, 3], [0, 1, 2, 3, 4], [0, 1.5, 3, 4]]
_SEVEN_BASS = [[0, 4], [0, 2, 4], [0], [0, 4, 6]]
_SEVEN_CHORDS = [[2, 5, 6], [0, 4], [1, 3, 5, 6], [0, 2, 4, 6], [0, 2, 4]]
# Kind: beats, division of a beat, groups, basses, chords, least and greatest tempo, how often, and
# the chances of chords that change more often than by the bar, of a figure for chords, of several
# voices, of drums.
_KINDS = {
    "slow four": (
        4, 4, [2, 2], _FOUR_BASS, _FOUR_CHORDS, 44, 82, 0.2, (0.55, 0.3, 0.5, 0.12)),
    "four": (4, 2, [2, 2], _FOUR_BASS, _FOUR_CHORDS, 84, 150, 0.08, (0.3, 0.25, 0.3, 0.2)),
    "slow three": (3, 4, [3], _THREE_BASS, _THREE_CHORDS, 46, 92, 0.08, (0.2, 0.3, 0.4, 0.08)),
    "three": (3, 2, [3], _THREE_BASS, _THREE_CHORDS, 84, 168, 0.06, (0.1, 0.35, 0.3, 0.1)),
    "two": (2, 4, [1, 1], _TWO_BASS, _TWO_CHORDS, 48, 82, 0.17, (0.1, 0.08, 0.15, 0.15)),
    "compound": (
        2, 3, [1, 1], _COMPOUND_BASS, _COMPOUND_CHORDS, 60, 142, 0.12, (0.2, 0.2, 0.3, 0.1)),
    "six": (6, 1, [3, 3], _SIX_BASS, _SIX_CHORDS, 96, 184, 0.08, (0.2, 0.35, 0.3, 0.05)),
    "twelve": (4, 3, [2, 2], _TWELVE_BASS, _TWELVE_CHORDS, 46, 96, 0.03, (0.2, 0.6, 0.2, 0.3)),
    "polka": (4, 2, [2, 2], _POLKA_BASS, _POLKA_CHORDS, 104, 160, 0.03, (0.1, 0.0, 0.1, 0.5)),
    "off": (4, 4, [2, 2], _OFF_BASS, _OFF_CHORDS, 104, 140, 0.04, (0.0, 0.1, 0.0, 0.9)),
    "groove": (
        4, 4, [2, 2], _GROOVE_BASS, _GROOVE_CHORDS, 74, 118, 0.05, (0.05, 0.1, 0.0, 0.7)),
    "five": (5, 2, [3, 2], _FIVE_BASS, _FIVE_CHORDS, 100, 192, 0.05, (0.1, 0.15, 0.1, 0.45)),
    "seven": (7, 2, [4, 3], _SEVEN_BASS, _SEVEN_CHORDS, 120, 210, 0.05, (0.1, 0.15, 0.1, 0.45)),
}  # fmt: skip


def _harmony(rng, metre, bars, often):
    """Chords by the bar, or more often; now and then a bar is repeated."""
    harmony = Harmony(rng, metre, bars)
    steps = [float(metre.beats)] * 4 + [2.0 * metre.beats]
    if often:
        steps = [1.0, 1.0, 2.0] if metre.beats == 4 else [metre.beats / len(metre.groups), 1.0]
        if metre.beats in (5, 7):
            steps = [float(metre.beats)]
    step = float(rng.choice(steps))
    rows = [list(_PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]) for _ in range(4)]
    ground = [0, *(int(degree) for degree in rng.integers(1, 6, 6)), 4]
    form = [0, 1, 0, 2] if rng.random() < 0.6 else [0, 1, 2, 3]
    count = int(np.ceil((bars + 1) * metre.beats / step))
    degree = (
        (lambda i: ground[i % 8])
        if step <= 2.0 and rng.random() < 0.6
        else (lambda i: rows[form[i // 4 % 4]][i % 4])
    )
    harmony.changes = [(i * step, degree(i)) for i in range(count)]
    harmony._starts = np.array([start for start, _ in harmony.changes])
    return harmony


def _lengths(places, end):
    return [after - at for at, after in zip(places, [*places[1:], end], strict=True)]


def _pattern(rng, metre, rows):
    places = [float(place) for place in rows[rng.integers(len(rows))]]
    if metre.beats in (5, 7) and metre.starts[1] * 2 < metre.beats:
        # The groups the other way round: the same places, turned.
        turn = metre.beats - metre.starts[1]
        places = sorted({0.0, *((place - turn) % metre.beats for place in places)})
    return places


def _bass(rng, metre, harmony, bars, rows):
    low = int(rng.integers(29, 42)) - 12
    places, short = _pattern(rng, metre, rows), rng.choice([0.95, 0.95, 0.6, 0.4])
    fifth = rng.random() < 0.6
    notes = []
    for bar in range(bars):
        for place, long in zip(places, _lengths(places, metre.beats), strict=True):
            beat = bar * metre.beats + place
            step = harmony.degree(beat) + 7
            if place and fifth and metre.weight(place) < 0.8 and rng.random() < 0.7:
                step += 4
            level = 0.6 * (1.0 + 0.2 * (metre.weight(place) - 0.5))
            notes.append((beat, long * short, harmony.midi(step, low), level))
    return Part("bass", notes)


def _chords(rng, metre, harmony, bars, rows):
    low, size = int(rng.integers(48, 60)), int(rng.integers(2, 5))
    places = _pattern(rng, metre, rows)
    short = float(rng.choice([0.97, 0.97, 0.7, 0.4]))
    longest, notes = float(rng.choice([0.5, 4.0, 4.0])), []
    for bar in range(bars):
        for place, long in zip(places, _lengths(places, metre.beats), strict=True):
            beat = bar * metre.beats + place
            level = 0.4 * (1.0 + 0.2 * (metre.weight(place) - 0.5))
            for midi in harmony.chord(beat, low, size):
                notes.append((beat, min(long * short, longest), midi, level))
    return Part("chords", notes)


def _figure(rng, metre, harmony, bars):
    """Broken chords in the finest notes; a figure is as long as a bar, a group, or a beat."""
    low, size = int(rng.integers(45, 60)), int(rng.integers(3, 6))
    division = metre.division
    group = metre.groups[0] if len(set(metre.groups)) == 1 else metre.beats
    length = int(rng.choice([metre.beats * division, group * division, group * division]))
    if division == 4 and rng.random() < 0.35:
        length = 4
    up = list(range(size))
    shapes = [up + up[-2:0:-1], up, up[::-1], [0, size - 1, 1, size - 1], [0, 2, 1, 2]]
    if rng.random() < 0.3:
        shape = [0, *(int(i) for i in rng.integers(1, size, max(1, length - 1)))]
    else:
        shape = shapes[rng.integers(len(shapes))]
    hold, accent = float(rng.choice([1.0, 2.0, 4.0])), rng.uniform(0.0, 0.3)
    late = [p for p in range(1, length) if rng.random() < 0.15] if rng.random() < 0.3 else []
    notes = []
    for number in range(bars * metre.beats * division):
        place = number % length
        if place in late:
            continue
        beat = number / division
        tones = harmony.chord(beat, low, size)
        tone = tones[shape[place % len(shape)] % len(tones)]
        level = 0.45 * (1.0 + (accent if place == 0 else 0.0))
        notes.append((beat, hold / division, tone, level))
    return Part("chords", notes)


_MIXED = {
    1: [([1.0], 5), ([2.0, 1.0], 4), ([1.5, 0.5, 1.0], 2), ([3.0], 2), ([0.5, 0.5, 1.0], 0.6)],
    2: [([1.0], 5), ([0.5, 0.5], 4), ([1.5, 0.5], 2), ([2.0], 2), ([0.5, 1.0, 0.5], 0.5)],
    3: [([1.0], 3), ([_T] * 3, 4), ([2 * _T, _T], 4), ([2.0], 1), ([0.5, _T / 2, _T], 1)],
    4: [([1.0], 2), ([0.5, 0.5], 3), ([0.25] * 4, 2), ([0.75, 0.25], 2), ([0.5, 0.25, 0.25], 2),
        ([2.0], 1), ([0.25, 0.5, 0.25], 1), ([1.5, 0.25, 0.25], 0.5)],
}  # fmt: skip


def _bar(rng, beats, division, even):
    """Lengths that fill a bar; `even` ones are all of one value."""
    if even:
        return [even] * int(round(beats / even))
    return filled(rng, beats, _MIXED[division])


def _line(rng, metre, harmony, bars, low):
    """An upper voice whose notes become shorter or longer from section to section."""
    finest = 1.0 / metre.division
    evens = [1.0, finest, finest, 0.0, 0.0, 0.0]
    if metre.division == 4:
        evens.append(0.5)
    if metre.beats % 2 == 0 and metre.beats != 6:
        evens.append(2.0)
    section = int(rng.choice([2, 4, 4, 8, 100]))
    legato, accent = rng.uniform(0.8, 1.0), rng.uniform(0.0, 0.25)
    begins_with_rest = rng.random() < 0.15
    step, notes, motifs, even = 7, [], [], 0.0
    for bar in range(bars):
        if bar % section == 0:
            even = float(rng.choice(evens))
            motifs = [_bar(rng, metre.beats, metre.division, even) for _ in range(3)]
        closes = bar % 4 == 3 and not even and rng.random() < 0.5
        lengths = [float(metre.beats)] if closes else motifs[[0, 1, 0, 2][bar % 4]]
        place = 0.0
        for long in lengths:
            beat = bar * metre.beats + place
            step = int(np.clip(step + rng.choice([-2, -1, -1, 0, 1, 1, 2, 3, -3]), 0, 14))
            if metre.weight(place) > 0.6:
                tones = (harmony.degree(beat) + k for k in (0, 2, 4, 7, 9, 11))
                step = min(tones, key=lambda tone: abs(tone - step))
            level = 0.6 * (1.0 + accent * (metre.weight(place) - 0.5))
            if not (begins_with_rest and place == 0.0 and len(lengths) > 2):
                notes.append((beat, long * legato, harmony.midi(step, low), level))
            place += long
    upbeat = rng.random() < 0.25
    if upbeat:
        notes.insert(0, (-1.0, 0.9, harmony.midi(4, low), 0.5))
    return Part("melody", notes)


def _later(part, beats, end, by):
    """The same notes once more, later and `by` semitones away: a canon."""
    notes = [(n[0] + beats, n[1], n[2] + by, n[3]) for n in part.notes if n[0] + beats < end]
    return Part(part.role, notes or part.notes)


def wider_score(rng, seconds):
    """A score of about `seconds`."""
    names = sorted(_KINDS)
    chances = np.array([_KINDS[name][7] for name in names])
    name = names[rng.choice(len(names), p=chances / chances.sum())]
    beats, division, groups, basses, chords, low, high, _, chance = _KINDS[name]
    often, figured, voices, drums = (rng.random() < c for c in chance)
    if beats in (5, 7) and rng.random() < 0.4:
        groups = groups[::-1]
    tempo = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    metre = Metre(beats, division, groups)
    bars = max(3, int(np.ceil(seconds * tempo / 60.0 / beats)) + 1)
    harmony = _harmony(rng, metre, bars, often)
    end, parts = bars * beats, []
    if rng.random() < 0.9:
        parts.append(_bass(rng, metre, harmony, bars, basses))
    if figured:
        parts.append(_figure(rng, metre, harmony, bars))
        if rng.random() < 0.4:
            parts = parts[-1:]
    elif rng.random() < 0.85:
        parts.append(_chords(rng, metre, harmony, bars, chords))
    # A bass and nothing else is too little.
    if len(parts) < 2 and not figured or rng.random() < 0.6:
        line = _line(rng, metre, harmony, bars, int(rng.integers(58, 74)))
        parts.append(line)
        if voices and rng.random() < 0.5:
            after = beats * int(rng.choice([1, 2, 2, 4]))
            parts.append(_later(line, after, end, int(rng.choice([0, 0, -12]))))
        elif voices:
            parts.append(_line(rng, metre, harmony, bars, int(rng.integers(50, 66))))
    if drums:
        style = {"off": "offbeat", "groove": "sixteenth groove"}.get(name, name)
        parts.append(_drums(rng, metre, bars, division, style))
    if rng.random() < 0.3 and len(parts) > 1:
        # Some enter later.
        first = int(rng.integers(1, len(parts)))
        enters = beats * int(rng.choice([1, 2, 4, 8]))
        for late in parts[first : first + int(rng.integers(1, 3))]:
            late.notes = [note for note in late.notes if note[0] >= enters] or late.notes
    swing, unit = 0.5, 1.0
    if division == 2 and rng.random() < 0.12:
        swing = rng.uniform(0.55, 0.68)
    elif name == "groove" and rng.random() < 0.15:
        swing, unit = rng.uniform(0.53, 0.62), 0.5
    return Score(beats, tempo, bars * beats, parts, swing, unit)

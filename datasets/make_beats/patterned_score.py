"""Scores in well-known manners: waltzes, marches, grooves, figures, each with its own pace."""

import numpy as np

from .random_score import Harmony, Metre
from .score import Part, Score

# What plays: `(place in the bar, beats, voice, velocity)`; voice 0 is the bass, others the chord's
# tones from below, "all" the whole chord.
_T = 1.0 / 3.0


def _at(places, beats, voice, velocity=0.5):
    return [(place, beats, voice, velocity) for place in places]


def _figure(voices, step, beats=None, velocity=0.5):
    """Tones one after the other; the first of a figure a little louder."""
    return [
        (index * step, beats or step, voice, velocity * (1.15 if index == 0 else 1.0))
        for index, voice in enumerate(voices)
    ]


def _beats(n):
    return [float(beat) for beat in range(n)]


_CLIMB_8 = [0, 2, 1, 3, 2, 4, 3, 1]
_ARCH_8 = [0, 1, 2, 3, 4, 3, 2, 1]
_ALBERTI = [0, 3, 2, 3]
_FOUR = {
    "boom-chick": (80, 190, _at([0, 2], 0.9, 0, 0.6) + _at([1, 3], 0.6, "all", 0.4)),
    "blocks": (60, 140, _at([0, 2], 1.9, 0, 0.6) + _at(_beats(4), 0.9, "all", 0.4)),
    "held": (60, 150, _at([0], 3.9, 0, 0.6) + _at([0], 3.8, "all", 0.4)),
    "halves": (70, 160, _at([0, 2], 1.9, 0, 0.6) + _at([0, 2], 1.8, "all", 0.4)),
    "eighth alberti": (70, 150, _figure(_ALBERTI * 2, 0.5)),
    "eighth figure": (66, 140, _figure(_ARCH_8, 0.5, 1.0)),
    "sixteenth figure": (52, 96, _figure(_CLIMB_8 * 2, 0.25, 1.0)),
    "sixteenth waves": (52, 96, _figure(_ARCH_8 * 2, 0.25, 0.5)),
    "sixteenth bar": (52, 92, _figure([0, 1, 2, 3, 4, 5, 4, 3, 2, 3, 4, 5, 4, 3, 2, 1], 0.25, 0.5)),
    "sixteenth alberti": (52, 100, _figure(_ALBERTI * 4, 0.25)),
    "eighths": (
        90,
        170,
        _at([b / 2 for b in range(8)], 0.45, 0, 0.6) + _at([0, 2], 1.8, "all", 0.4),
    ),
    "push": (85, 130, _at([0, 1.5, 2, 3.5], 0.7, 0, 0.6) + _at([0, 1.5], 0.9, "all", 0.4)),
    "sixteenth push": (
        70,
        116,
        _at([0, 0.75, 2.5], 0.7, 0, 0.65) + _at([0, 1.5, 2.75], 0.4, "all", 0.4),
    ),
    "sixteenth groove": (
        70,
        112,
        _at([0, 0.75, 1.5, 2, 2.75], 0.4, 0, 0.65) + _at([1, 3], 0.4, "all", 0.4),
    ),
    "bossa": (
        100,
        150,
        _at([0, 1.5, 2, 3.5], 0.9, 0, 0.6) + _at([0, 1, 2.5, 3.5], 0.4, "all", 0.4),
    ),
    "skank": (
        62,
        96,
        _at([0, 1.5, 2.5], 0.7, 0, 0.65) + _at([0.5, 1.5, 2.5, 3.5], 0.2, "all", 0.45),
    ),
    "walk": (90, 200, _at(_beats(4), 0.95, 0, 0.6) + _at([0, 1.5], 0.4, "all", 0.4)),
    "walk, late": (90, 190, _at(_beats(4), 0.95, 0, 0.6) + _at([1.5, 3.5], 0.4, "all", 0.4)),
    "ground": (48, 84, _at(_beats(4), 0.93, 0, 0.6) + _at(_beats(4), 0.9, "all", 0.4)),
    "ground, figured": (48, 84, _at(_beats(4), 0.93, 0, 0.6) + _figure([1, 2, 3, 2] * 4, 0.25)),
    "offbeat": (100, 140, _at([0.5, 1.5, 2.5, 3.5], 0.4, 0, 0.6) + _at([0], 3.9, "all", 0.4)),
}
_THREE = {
    "waltz": (84, 205, _at([0], 0.9, 0, 0.65) + _at([1, 2], 0.7, "all", 0.4)),
    "waltz, long": (84, 190, _at([0], 2.8, 0, 0.6) + _at([1, 2], 0.9, "all", 0.4)),
    "minuet": (96, 160, _at([0], 1.9, 0, 0.6) + _at([2], 0.9, 1, 0.45) + _at([0], 2.8, 2, 0.4)),
    "minuet, walking": (90, 150, _at(_beats(3), 0.9, 0, 0.6)),
    "sarabande": (
        50,
        92,
        _at([0], 0.9, 0, 0.6) + _at([0], 0.9, "all", 0.35) + _at([1], 1.9, "all", 0.5),
    ),
    "held": (70, 170, _at([0], 2.9, 0, 0.6) + _at([0], 2.8, "all", 0.4)),
    "blocks": (70, 160, _at([0], 2.8, 0, 0.6) + _at(_beats(3), 0.9, "all", 0.4)),
    "eighth figure": (66, 132, _figure([0, 1, 2, 3, 2, 1], 0.5, 1.0)),
    "sixteenth figure": (48, 84, _figure([0, 1, 2, 3, 4, 3, 2, 1, 2, 3, 2, 1], 0.25, 0.5)),
}
_TWO = {
    "habanera": (
        52,
        76,
        _at([0, 0.75, 1, 1.5], 0.4, 0, 0.6) + _at([0.75, 1, 1.5], 0.4, "all", 0.4),
    ),
    "tango": (52, 76, _at([0, 0.5, 1, 1.5], 0.3, "all", 0.45) + _at([0, 1], 0.4, 0, 0.6)),
    "march": (96, 132, _at([0], 0.8, 0, 0.65) + _at([1], 0.5, "all", 0.45)),
    "polka": (60, 110, _at([0, 1], 0.4, 0, 0.6) + _at([0.5, 1.5], 0.3, "all", 0.4)),
}
_COMPOUND = {
    "jig": (76, 150, _at([0, 1], 0.6, 0, 0.6) + _at([2 * _T, 5 * _T], 0.3, "all", 0.4)),
    "pulse": (
        60,
        140,
        _at([0, 1], 0.3, 0, 0.6) + _at([_T, 2 * _T, 4 * _T, 5 * _T], 0.25, "all", 0.38),
    ),
    "figure": (60, 120, _figure([0, 1, 2, 3, 2, 1], _T, 0.6)),
    "lute": (
        60,
        120,
        _at([0, 1], 0.9, 0, 0.6)
        + _at([_T, 4 * _T], 0.6, 1, 0.42)
        + _at([2 * _T, 5 * _T], 0.3, 2, 0.42),
    ),
    "held": (60, 140, _at([0, 1], 0.9, 0, 0.6) + _at([0, 1], 0.9, "all", 0.4)),
    "bar": (60, 140, _at([0], 1.9, 0, 0.6) + _at([0], 1.9, "all", 0.4)),
}
_SIX = {
    "lute": (
        108,
        180,
        _at([0, 3], 2.8, 0, 0.6) + _at([1, 4], 1.8, 1, 0.42) + _at([2, 5], 0.9, 2, 0.42),
    ),
    "figure": (108, 180, _figure([0, 1, 2, 3, 2, 1], 1.0, 2.0)),
    "siciliano": (100, 170, _at([0, 3], 1.4, 0, 0.6) + _at([2, 5], 0.9, "all", 0.4)),
}
_FIVE = {
    "three and two": (100, 190, _at([0, 3], 1.8, 0, 0.6) + _at([1, 2, 4], 0.8, "all", 0.4)),
    "beats": (100, 190, _at(_beats(5), 0.9, 0, 0.6) + _at([0, 3], 1.8, "all", 0.4)),
    "held": (90, 170, _at([0], 4.8, 0, 0.6) + _at([0, 3], 1.8, "all", 0.4)),
}
_SEVEN = {
    "four and three": (120, 205, _at([0, 4], 2.0, 0, 0.6) + _at([2, 5, 6], 0.8, "all", 0.4)),
    "two two three": (120, 205, _at([0, 2, 4], 1.5, 0, 0.6) + _at([1, 3, 5, 6], 0.5, "all", 0.4)),
    "held": (120, 190, _at([0], 3.9, 0, 0.6) + _at([0, 4], 2.8, "all", 0.4)),
}
# (metre's beats, division of a beat in melodies, groups, manners, how often)
_KINDS = [
    (4, 2, [2, 2], _FOUR, 0.5), (3, 2, [3], _THREE, 0.18), (2, 2, [1, 1], _TWO, 0.08),
    (2, 3, [1, 1], _COMPOUND, 0.1), (6, 1, [3, 3], _SIX, 0.05), (5, 2, [3, 2], _FIVE, 0.045),
    (7, 2, [4, 3], _SEVEN, 0.045),
]  # fmt: skip
# Rhythms that fill some beats, by division, with how usual they are.
_CELLS = {
    1: [([1.0], 5), ([2.0], 2), ([1.5, 0.5, 1.0], 2), ([3.0], 1)],
    2: [([1.0], 5), ([0.5, 0.5], 4), ([1.5, 0.5], 2), ([2.0], 2), ([0.5, 1.0, 0.5], 0.7)],
    3: [([1.0], 4), ([_T] * 3, 4), ([2 * _T, _T], 4), ([2.0], 1)],
    4: [
        ([1.0], 2),
        ([0.5, 0.5], 3),
        ([0.25] * 4, 2),
        ([0.75, 0.25], 2),
        ([0.5, 0.25, 0.25], 2),
        ([2.0], 1),
    ],
}


def filled(rng, beats, cells):
    """Lengths of notes that fill a bar, of `cells` of whole beats with how usual they are."""
    chances = np.array([cell[1] for cell in cells])
    place, lengths = 0.0, []
    while place < beats - 1e-6:
        cell = cells[rng.choice(len(cells), p=chances / chances.sum())][0]
        if place + sum(cell) > beats + 1e-6:
            cell = [1.0]
        lengths += cell
        place += sum(cell)
    return lengths


def _rhythm(rng, beats, division):
    """Onsets and lengths that fill a bar."""
    place, notes = 0.0, []
    for long in filled(rng, beats, _CELLS[division]):
        notes.append((place, long))
        place += long
    return notes


def _melody(rng, metre, harmony, bars, division):
    low = int(rng.integers(60, 74))
    motifs = [_rhythm(rng, metre.beats, division) for _ in range(4)]
    form = [int(i) for i in rng.permutation([0, 0, 1, 2])]
    close = [(0.0, float(metre.beats))] if rng.random() < 0.5 else [(0.0, metre.beats - 1.0)]
    upbeat = rng.random() < 0.35
    accent, legato = rng.uniform(0.0, 0.35), rng.uniform(0.7, 1.0)
    step, notes = 7, []
    if upbeat:
        notes.append((-1.0, 0.9, harmony.midi(4, low), 0.5))
    for bar in range(bars):
        phrase_ends = bar % 4 == 3
        for place, long in close if phrase_ends and rng.random() < 0.7 else motifs[form[bar % 4]]:
            move = [-2, -1, 0, 1, 2, 3, -3]
            step = int(
                np.clip(step + rng.choice(move, p=[0.13, 0.25, 0.1, 0.25, 0.13, 0.07, 0.07]), 0, 14)
            )
            beat = bar * metre.beats + place
            if metre.weight(place) > 0.6:
                tones = (harmony.degree(beat) + k for k in (0, 2, 4, 7, 9, 11))
                step = min(tones, key=lambda tone: abs(tone - step))
            level = 0.6 * (1.0 + accent * (metre.weight(place) - 0.5))
            if rng.random() < 0.96:
                notes.append((beat, long * legato, harmony.midi(step, low), level))
        if phrase_ends and upbeat:
            notes.append(((bar + 1) * metre.beats - 1.0, 0.5, harmony.midi(step, low), 0.5))
    return Part("melody", sorted(notes))


def _accompaniment(rng, metre, harmony, bars, manner):
    """The bass and the rest, as two parts, or as one where one player has both."""
    low, bass_low = int(rng.integers(50, 60)), int(rng.integers(30, 42))
    accent = rng.uniform(0.0, 0.3)
    size = 1 + max(
        [voice for _, _, voice, _ in manner if voice != "all"] + [int(rng.integers(3, 5))]
    )
    bass, rest = [], []
    for bar in range(bars):
        for place, beats, voice, velocity in manner:
            beat = bar * metre.beats + place
            level = velocity * (1.0 + accent * (metre.weight(place) - 0.5))
            if voice == 0:
                step = harmony.degree(beat) + 7
                if place and place != int(place / 2) * 2 and rng.random() < 0.15:
                    step += int(rng.choice([4, -3, 2]))
                elif place and metre.weight(place) < 0.8 and rng.random() < 0.3:
                    step += 4 if rng.random() < 0.7 else -3
                bass.append((beat, beats, harmony.midi(step, bass_low - 12), level))
                continue
            tones = harmony.chord(beat, low, size)
            for tone in tones if voice == "all" else [tones[voice % len(tones)]]:
                rest.append((beat, beats, tone, level))
    if rng.random() < 0.35 or not rest:
        return [Part("chords", sorted(bass + rest))]
    return [Part("bass", bass), Part("chords", rest)] if bass else [Part("chords", rest)]


def _drums(rng, metre, bars, division, name):
    """A groove that suits the manner, with fills."""
    n, starts = metre.beats, metre.starts
    whole, halves = _beats(n), [b / 2 for b in range(2 * n)]
    if division == 3:
        halves = [b * _T for b in range(3 * n)]
    quarters = [b / 4 for b in range(4 * n)]
    fast = "sixteenth" in name or (division == 4)
    grid = quarters if fast and rng.random() < 0.65 else (halves if rng.random() < 0.85 else whole)
    cymbal = str(rng.choice(["hat", "hat", "ride", "shaker"]))
    strokes = [(p, cymbal, 0.6 if float(p).is_integer() else rng.uniform(0.3, 0.55)) for p in grid]
    back = {4: [1, 3], 3: [1, 2] if rng.random() < 0.6 else [2], 2: [1]}.get(n, starts[1:])
    if "walk" in name:
        strokes = [(p, "ride", 0.6) for p in whole] + [
            (b + 0.5, "ride", 0.4) for b in range(1, n, 2)
        ]
        strokes += [(float(b), "pedal", 0.45) for b in back]
        strokes += [(float(b), "kick", 0.35) for b in whole if rng.random() < 0.5]
    elif "offbeat" in name:
        strokes = [(b, "kick", 0.9) for b in whole] + [(b + 0.5, "open_hat", 0.5) for b in whole]
        strokes += [(float(b), "clap", 0.6) for b in back]
    elif "skank" in name:
        strokes += [(2.0, "kick", 0.85), (2.0, "snare", 0.7)]
    else:
        off = [p for p in (quarters if fast else halves) if not float(p).is_integer()]
        extra = [p for p in off if rng.random() < 0.12]
        strokes += [(float(b), "snare", rng.uniform(0.6, 0.85)) for b in back]
        strokes += [(float(b), "kick", 0.85) for b in starts] + [(p, "kick", 0.6) for p in extra]
        strokes += [(p, "snare", 0.22) for p in off if rng.random() < 0.08]
    fill_every = int(rng.choice([0, 4, 8], p=[0.45, 0.3, 0.25]))
    notes = []
    for bar in range(bars):
        here = strokes
        if fill_every and bar % fill_every == fill_every - 1:
            here = [s for s in strokes if s[0] < n - 1]
            fill = [p for p in (quarters if division != 3 else halves) if p >= n - 1]
            here = here + [
                (p, str(rng.choice(["snare", "tom"])), rng.uniform(0.5, 0.8)) for p in fill
            ]
        if fill_every and bar % fill_every == 0 and rng.random() < 0.6:
            here = [*here, (0.0, "crash", 0.55)]
        notes += [(bar * n + place, stroke, velocity) for place, stroke, velocity in here]
    return Part("drums", notes)


def patterned_score(rng, seconds):
    """A score of about `seconds` in one of the manners."""
    chances = np.array([kind[-1] for kind in _KINDS])
    beats, division, groups, manners, _ = _KINDS[rng.choice(len(_KINDS), p=chances / chances.sum())]
    name = str(rng.choice(sorted(manners)))
    low, high, manner = manners[name]
    if beats in (5, 7) and rng.random() < 0.3:
        name, manner = "held", manners["held"][2]
    tempo = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    # Slow beats are divided more finely.
    melodic = 4 if division == 2 and tempo < 95 and rng.random() < 0.6 else division
    metre = Metre(beats, melodic, groups)
    bars = max(3, int(np.ceil(seconds * tempo / 60.0 / beats)) + 1)
    harmony = Harmony(rng, metre, bars)
    drum_chance = (
        0.75 if beats == 4 and ("push" in name or "groove" in name or "eighths" in name) else 0.35
    )
    parts = []
    if rng.random() < 0.93:
        parts += _accompaniment(rng, metre, harmony, bars, manner)
    if not parts or rng.random() < 0.62:
        parts.append(_melody(rng, metre, harmony, bars, melodic))
    if rng.random() < drum_chance:
        parts.append(_drums(rng, metre, bars, melodic, name))
    if rng.random() < 0.25 and len(parts) > 1:
        # One enters later.
        late = parts[int(rng.integers(1, len(parts)))]
        enters = metre.beats * int(rng.choice([2, 4, 8]))
        late.notes = [note for note in late.notes if note[0] >= enters] or late.notes
    swing, unit = 0.5, 1.0
    if "walk" in name or (melodic == 2 and rng.random() < 0.12):
        swing = rng.uniform(0.55, 0.68)
    elif melodic == 4 and rng.random() < 0.12:
        swing, unit = rng.uniform(0.53, 0.62), 0.5
    return Score(beats, tempo, bars * beats, parts, swing, unit)

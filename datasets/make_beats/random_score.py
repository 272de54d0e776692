"""Random scores: harmony, accompaniment, bass, melody and drums in every usual metre."""

import numpy as np

from .score import Part, Score

_MAJOR, _MINOR = [0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10]
# Chords as degrees of the scale from 0; one row is four bars.
_PROGRESSIONS = [
    [0, 3, 4, 0],
    [0, 4, 5, 3],
    [5, 3, 0, 4],
    [0, 5, 3, 4],
    [0, 0, 3, 4],
    [1, 4, 0, 5],
    [0, 2, 3, 4],
    [0, 6, 5, 4],
    [0, 3, 0, 4],
    [0, 0, 0, 4],
    [3, 4, 2, 5],
    [5, 1, 4, 0],
    [0, 1, 4, 0],
    [0, 0, 4, 4],
]
# (beats, divisions of a beat, groups of beats, least and greatest tempo, how often)
_METRES = [
    (4, 2, [2, 2], 70, 180, 0.21),
    (4, 4, [2, 2], 50, 118, 0.24),
    (4, 3, [2, 2], 55, 140, 0.05),
    (3, 2, [3], 72, 200, 0.16),
    (3, 4, [3], 50, 112, 0.06),
    (2, 2, [1, 1], 64, 130, 0.03),
    (2, 4, [1, 1], 48, 100, 0.04),
    (2, 3, [1, 1], 60, 140, 0.10),
    (6, 1, [3, 3], 120, 180, 0.03),
    (6, 2, [3, 3], 100, 180, 0.03),
    (5, 2, [3, 2], 95, 190, 0.03),
    (7, 2, [4, 3], 115, 200, 0.03),
]


class Metre:
    """Beats of a bar, their groups, and into how many parts a beat is divided."""

    def __init__(self, beats, division, groups):
        self.beats, self.division, self.groups = beats, division, groups
        self.starts = [int(s) for s in np.cumsum([0, *groups[:-1]])]

    def weight(self, beat):
        """How heavy a place of the bar is, 0 to 1."""
        if beat == 0:
            return 1.0
        if beat in self.starts:
            return 0.7
        return 0.45 if float(beat).is_integer() else 0.2


def random_metre(rng):
    chances = np.array([row[-1] for row in _METRES])
    beats, division, groups, low, high, _ = _METRES[
        rng.choice(len(_METRES), p=chances / chances.sum())
    ]
    if beats in (5, 7) and rng.random() < 0.5:
        groups = groups[::-1]
    middle = np.sqrt(low * high)
    tempo = middle * np.exp(rng.normal(0.0, 0.5 * np.log(high / middle)))
    while not low <= tempo <= high:
        tempo = middle * np.exp(rng.normal(0.0, 0.6 * np.log(high / middle)))
    return Metre(beats, division, groups), float(tempo)


class Harmony:
    """Which chord sounds at a beat."""

    def __init__(self, rng, metre, bars):
        self.scale = _MAJOR if rng.random() < 0.6 else _MINOR
        self.tonic = int(rng.integers(12))
        self._metre = metre
        kind = rng.choice(["bar", "two bars", "group", "beat"], p=[0.74, 0.06, 0.14, 0.06])
        if kind == "group" and metre.beats == 2:
            kind = "bar"
        per_bar = {"bar": [0], "two bars": [0], "group": metre.starts, "beat": range(metre.beats)}
        rows = [list(_PROGRESSIONS[rng.integers(len(_PROGRESSIONS))]) for _ in range(2)]
        ground = [int(d) for d in rng.integers(0, 6, 8)]
        self.changes = []
        for bar in range(bars + 1):
            row = rows[bar // 4 % 2 if rng.random() < 0.9 else 0]
            for number, beat in enumerate(per_bar[kind]):
                if kind == "two bars" and bar % 2:
                    continue
                degree = row[bar % 4] if kind == "bar" else row[bar // 2 % 4]
                if kind == "group" and number:
                    degree = int(rng.choice([degree, degree, 4, 3, 5]))
                elif kind == "group":
                    degree = row[bar % 4]
                elif kind == "beat":
                    degree = ground[(bar * metre.beats + beat) % 8]
                self.changes.append((bar * metre.beats + beat, degree))
        self._starts = np.array([start for start, _ in self.changes])

    def degree(self, beat):
        index = np.searchsorted(self._starts, beat + 1e-6, side="right") - 1
        return self.changes[max(int(index), 0)][1]

    def next_change(self, beat):
        index = np.searchsorted(self._starts, beat + 1e-6, side="right")
        return float(self._starts[index]) if index < len(self._starts) else beat + self._metre.beats

    def midi(self, step, low):
        """The tone `step` of the scale (over octaves), the lowest tonic lying at `low` or above."""
        base = low + (self.tonic - low) % 12
        return base + 12 * (step // 7) + self.scale[step % 7]

    def chord(self, beat, low, size=3):
        degree = self.degree(beat)
        tones = [self.midi(degree + 2 * i, low) for i in range(size)]
        return sorted(tone - 12 if tone > low + 17 else tone for tone in tones)


def _grid(metre, division=None):
    """The places of a bar."""
    division = division or metre.division
    return [beat + part / division for beat in range(metre.beats) for part in range(division)]


def _bass(rng, metre, harmony, bars, division):
    low = int(rng.integers(28, 40))
    styles = ["root", "groups", "beats", "walking", "divided", "pattern", "offbeat", "long"]
    chances = [0.2, 0.26, 0.12, 0.13, 0.08, 0.12, 0.02, 0.07]
    style = rng.choice(styles, p=chances)
    places = _grid(metre, division)
    pattern = [0.0] + [p for p in places[1:] if rng.random() < 0.25 + 0.3 * metre.weight(p)]
    accent = rng.uniform(0.0, 0.5)
    short = rng.uniform(0.5, 1.0)
    notes = []
    for bar in range(bars):
        at = {
            "root": [0.0],
            "groups": metre.starts,
            "beats": range(metre.beats),
            "long": [0.0],
            "walking": range(metre.beats),
            "divided": _grid(metre, min(division, 2)),
            "pattern": pattern,
            "offbeat": [b + 0.5 for b in range(metre.beats)],
        }[style]
        at = [float(a) for a in at]
        for number, place in enumerate(at):
            beat = bar * metre.beats + place
            degree = harmony.degree(beat)
            changes = any(abs(start - beat) < 1e-6 for start, _ in harmony.changes)
            step = degree
            if not changes and number and style in ("groups", "beats", "pattern"):
                step = degree + int(rng.choice([0, 0, 4, 4, -3]))
            elif style == "walking" and not changes:
                step = degree + int(rng.choice([1, 2, 3, 4, -1, -2]))
            following = at[number + 1] if number + 1 < len(at) else metre.beats
            level = 0.6 * (1.0 + accent * (metre.weight(place) - 0.5))
            notes.append(
                (beat, (following - place) * short, harmony.midi(step + 7, low - 12), level)
            )
    return Part("bass", notes)


def _chords(rng, metre, harmony, bars, division):
    low = int(rng.integers(50, 60))
    style = rng.choice(
        ["held", "beats", "after", "offbeat", "pattern", "groups", "divided"],
        p=[0.25, 0.15, 0.26, 0.05, 0.12, 0.11, 0.06],
    )
    places = _grid(metre, division)
    pattern = [p for p in places if rng.random() < 0.12 + 0.4 * metre.weight(p)] or [0.0]
    if rng.random() < 0.7 and 0.0 not in pattern:
        pattern = [0.0, *pattern]
    after = [float(b) for b in range(metre.beats) if b not in metre.starts]
    if metre.beats in (2,) and metre.division == 3:
        after = [b + p / 3 for b in range(2) for p in (1, 2)]
    elif not after:
        after = [b + 0.5 for b in range(metre.beats)]
    size = int(rng.integers(3, 5))
    accent, short, spread = (
        rng.uniform(0.0, 0.5),
        rng.uniform(0.3, 1.0),
        rng.choice([0.0, 0.0, 0.03]),
    )
    notes = []
    for bar in range(bars):
        at = {
            "held": [0.0],
            "beats": range(metre.beats),
            "after": after,
            "pattern": pattern,
            "offbeat": [b + 0.5 for b in range(metre.beats)],
            "groups": metre.starts,
            "divided": _grid(metre, min(2, division)),
        }[style]
        if style == "held":
            at = [
                start - bar * metre.beats
                for start, _ in harmony.changes
                if bar * metre.beats <= start < (bar + 1) * metre.beats
            ]
        at = [float(a) for a in at]
        for number, place in enumerate(at):
            beat = bar * metre.beats + place
            following = at[number + 1] if number + 1 < len(at) else metre.beats
            long = harmony.next_change(beat) - beat if style == "held" else following - place
            level = 0.42 * (1.0 + accent * (metre.weight(place) - 0.5))
            for index, midi in enumerate(harmony.chord(beat, low, size)):
                notes.append((beat + spread * index, long * short, midi, level))
    return Part("chords", notes)


def _arpeggio(rng, metre, harmony, bars, division):
    low = int(rng.integers(45, 62))
    size = int(rng.integers(3, 6))
    places = _grid(metre, division)
    count = len(places)
    # The figure fills a bar, a group, a beat, or goes round by itself.
    cycle = int(
        rng.choice([count, max(2, count // len(metre.groups)), division if division > 1 else count])
    )
    shape = rng.choice(["up", "up-down", "alberti", "random", "bass-first"])
    up = list(range(size))
    figure = {
        "up": up,
        "up-down": up + up[-2:0:-1],
        "alberti": [0, size - 1, size // 2, size - 1],
        "random": [int(i) for i in rng.integers(0, size, cycle)],
        "bass-first": [0] + [int(i) for i in rng.integers(1, size, cycle - 1)],
    }[shape]
    rests = {i for i in range(1, cycle) if rng.random() < rng.choice([0.0, 0.0, 0.25])}
    accent, hold = rng.uniform(0.0, 0.5), float(rng.choice([0.5, 1.0, 2.0, 4.0]))
    notes = []
    for bar in range(bars):
        for number, place in enumerate(places):
            if number % cycle in rests:
                continue
            beat = bar * metre.beats + place
            tones = harmony.chord(beat, low, size)
            level = 0.45 * (1.0 + accent * (metre.weight(place) - 0.5))
            index = figure[number % cycle % len(figure)]
            notes.append((beat, hold / division, tones[index % len(tones)], level))
    return Part("arpeggio", notes)


def _rhythm(rng, metre, division):
    """Onsets of a bar of melody."""
    busy = rng.uniform(0.1, 0.7)
    return [
        p
        for p in _grid(metre, division)
        if rng.random() < (0.25 + 0.75 * metre.weight(p)) * (0.35 + busy)
    ]


def _melody(rng, metre, harmony, bars, division):
    low = int(rng.integers(60, 74))
    motifs = [_rhythm(rng, metre, division) for _ in range(3)]
    form = [int(i) for i in rng.choice([[0, 1, 0, 2], [0, 0, 1, 2], [0, 1, 2, 1], [0, 0, 0, 1]])]
    upbeat = (
        [p for p in _grid(metre, division) if p >= metre.beats - 1] if rng.random() < 0.35 else []
    )
    onsets = [p - metre.beats for p in upbeat]
    for bar in range(bars):
        rhythm = motifs[form[bar % 4]] if rng.random() < 0.85 else _rhythm(rng, metre, division)
        onsets += [bar * metre.beats + p for p in rhythm if rng.random() < 0.97]
    accent, legato = rng.uniform(0.0, 0.5), rng.uniform(0.6, 1.0)
    step, notes = 7, []
    for beat, following in zip(onsets, [*onsets[1:], bars * metre.beats], strict=True):
        step = int(
            np.clip(
                step
                + rng.choice(
                    [-2, -1, -1, 0, 1, 1, 2, 4, -4],
                    p=[0.1, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1, 0.05, 0.05],
                ),
                0,
                14,
            )
        )
        place = beat % metre.beats
        if metre.weight(place) > 0.6 and rng.random() < 0.7:
            step = min(
                (harmony.degree(beat) + k for k in (0, 2, 4, 7, 9, 11)), key=lambda s: abs(s - step)
            )
        level = 0.62 * (1.0 + accent * (metre.weight(place) - 0.5))
        long = min(following - beat, 2.0 * metre.beats) * legato
        notes.append((beat, max(long, 0.1), harmony.midi(step, low), level))
    return Part("melody", notes)


def _bar_of_drums(rng, metre, division):
    """A bar's strokes `(place, name, velocity)` in one of the usual manners."""
    n, starts = metre.beats, metre.starts
    strokes = []
    manner = rng.choice(
        ["backbeat", "four", "half", "ride", "march", "syncopated", "random", "hands"],
        p=[0.36, 0.14, 0.07, 0.14, 0.07, 0.14, 0.03, 0.05],
    )
    grid = _grid(metre, division)
    hat_grid = (
        grid
        if division * 1.0 <= 2 or rng.random() < 0.5
        else _grid(metre, 2 if division == 4 else division)
    )
    if rng.random() < 0.2:
        hat_grid = _grid(metre, 1)
    cymbal = (
        "ride" if manner == "ride" else str(rng.choice(["hat", "hat", "hat", "ride", "shaker"]))
    )
    dynamic = rng.uniform(0.0, 0.5)
    strokes += [
        (p, cymbal, 0.55 * (1 + dynamic * (metre.weight(p) - 0.5)))
        for p in hat_grid
        if rng.random() < 0.97
    ]
    if rng.random() < 0.15:
        strokes = [(b + 0.5, "open_hat", 0.5) for b in range(n)]
    light = [b for b in range(n) if b not in starts] or [n - 1]
    backbeats = [1, 3] if n == 4 else ([1] if n == 2 else light)
    if n == 3:
        backbeats = [2] if rng.random() < 0.3 else [1, 2]
    if n in (5, 6, 7):
        backbeats = starts[1:]
    if manner == "backbeat":
        strokes += [(float(b), "snare", 0.75) for b in backbeats]
        strokes += [(float(b), "kick", 0.85) for b in starts if b == 0 or rng.random() < 0.7]
        strokes += [
            (p, "kick", 0.6) for p in grid if not float(p).is_integer() and rng.random() < 0.12
        ]
    elif manner == "four":
        strokes += [(float(b), "kick", 0.85) for b in range(n)]
        if rng.random() < 0.7:
            strokes += [(float(b), str(rng.choice(["snare", "clap"])), 0.65) for b in backbeats]
    elif manner == "half":
        strokes += [(0.0, "kick", 0.85), (float(n // 2 if n != 3 else 2), "snare", 0.8)]
        strokes += [(p, "kick", 0.6) for p in grid[1:] if rng.random() < 0.08]
    elif manner == "ride":
        strokes += [(float(b), "pedal", 0.4) for b in backbeats]
        strokes += [(p, "snare", 0.2) for p in grid if rng.random() < 0.12]
        strokes += [(float(b), "kick", 0.4) for b in starts]
    elif manner == "march":
        strokes += [(p, "snare", 0.3 + 0.45 * metre.weight(p)) for p in grid if rng.random() < 0.5]
        strokes += [(float(b), "kick", 0.8) for b in starts]
    elif manner == "syncopated":
        strokes += [(0.0, "kick", 0.85)] if rng.random() < 0.9 else []
        strokes += [(p, "kick", 0.75) for p in grid[1:] if rng.random() < 0.2]
        strokes += [(float(b), "snare", 0.75) for b in backbeats]
        strokes += [(p, "snare", 0.25) for p in grid if rng.random() < 0.15]
    elif manner == "random":
        for name, chance in (("kick", 0.3), ("snare", 0.2), ("tom", 0.15), ("wood", 0.1)):
            strokes += [
                (p, name, 0.3 + 0.5 * metre.weight(p))
                for p in grid
                if rng.random() < chance * (0.4 + metre.weight(p))
            ]
    else:
        strokes = []
        for name, chance in (("tom", 0.45), ("wood", 0.25), ("shaker", 0.6)):
            strokes += [
                (p, name, 0.35 + 0.35 * metre.weight(p))
                for p in grid
                if rng.random() < chance * (0.4 + metre.weight(p))
            ]
    return strokes


def _drums(rng, metre, bars, division):
    pattern = [_bar_of_drums(rng, metre, division)] * 2
    if rng.random() < 0.4:
        pattern[1] = _bar_of_drums(rng, metre, division)
    fills, crash = rng.choice([0, 4, 8], p=[0.4, 0.35, 0.25]), rng.random() < 0.4
    form = rng.choice([1, 8, 16])
    notes = []
    for bar in range(bars):
        first = bar * metre.beats
        strokes = pattern[bar // form % 2]
        if fills and bar % fills == fills - 1:
            start = metre.beats - int(rng.integers(1, min(3, metre.beats) + 1))
            strokes = [s for s in strokes if s[0] < start] + [
                (p, str(rng.choice(["snare", "tom", "kick"])), rng.uniform(0.4, 0.8))
                for p in _grid(metre, division)
                if p >= start and rng.random() < 0.75
            ]
        if crash and bar % (fills or 8) == 0:
            strokes = [*strokes, (0.0, "crash", 0.6)]
        notes += [(first + place, name, velocity) for place, name, velocity in strokes]
    return Part("drums", notes)


def _with_rests(rng, metre, part, bars):
    """The part silent for some stretch: it enters late, leaves, or takes a break."""
    block = int(rng.choice([1, 2, 4, 8])) * metre.beats
    silent = {i for i in range(bars * metre.beats // block + 2) if rng.random() < 0.25}
    notes = [note for note in part.notes if int(max(note[0], 0.0) // block) not in silent]
    return Part(part.role, notes or part.notes)


def random_score(rng, seconds):
    """A score of about `seconds`, with two to six parts."""
    metre, tempo = random_metre(rng)
    # About two to nine of the smallest notes a second.
    fine = metre.division
    while fine % 2 == 0 and fine * tempo / 60.0 > 10.0:
        fine //= 2
    coarse = fine if fine % 2 or rng.random() < 0.5 else max(1, fine // 2)
    bars = max(3, int(np.ceil(seconds * tempo / 60.0 / metre.beats)) + 1)
    harmony = Harmony(rng, metre, bars)
    either = lambda: int(rng.choice([fine, coarse]))  # noqa: E731
    makers = {
        "bass": (_bass, 0.6),
        "chords": (_chords, 0.5),
        "arpeggio": (_arpeggio, 0.42),
        "melody": (_melody, 0.6),
    }
    parts = []
    while not parts:
        parts = [
            maker(rng, metre, harmony, bars, either())
            for maker, chance in makers.values()
            if rng.random() < chance
        ]
    if rng.random() < 0.15:
        parts.append(_melody(rng, metre, harmony, bars, coarse))
    if rng.random() < 0.5:
        parts.append(_drums(rng, metre, bars, either()))
    if len(parts) > 1:
        parts = [_with_rests(rng, metre, p, bars) if rng.random() < 0.35 else p for p in parts]
    swing, unit = 0.5, 1.0
    if metre.division in (2, 4) and rng.random() < 0.22:
        swing, unit = rng.uniform(0.54, 0.68), (1.0 if fine == 2 else 0.5)
    return Score(metre.beats, tempo, bars * metre.beats, parts, swing, unit)

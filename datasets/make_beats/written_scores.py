"""Written pieces as scores: of `make_songs`, old tunes, and some in metres that these lack."""

from make_songs.pieces import canon, greensleeves, lantern_street, prelude
from make_songs.score import phrase, pitch, pitches

from .score import Part, Score

# Eighths of a compound bar slower than this are counted one by one, others three to a beat.
_COUNTED_EIGHTHS_PER_MINUTE = 180.0


def _prelude(pace):
    events, end = prelude.sixteenths()
    notes = [(beat, 1.0, midi, 0.42 * stress) for beat, midi, stress in events]
    return Score(4, 72.0 * pace, end, [Part("chords", notes)])


def compound(beats_per_minute, beats, parts):
    """A score in eighths, six to the bar, counted in six or in two."""
    if beats_per_minute < _COUNTED_EIGHTHS_PER_MINUTE:
        return Score(6, beats_per_minute, beats, parts)
    parts = [
        Part(
            part.role,
            [
                (note[0] / 3, note[1] / 3, *note[2:])
                if part.role != "drums"
                else (note[0] / 3, *note[1:])
                for note in part.notes
            ],
        )
        for part in parts
    ]
    return Score(2, beats_per_minute / 3, beats / 3, parts)


def _greensleeves(pace):
    # The introduction and the verse after its upbeat begin at multiples of six eighths.
    low = [(at, 3.0, midi, 0.6 * weight) for at, midi, weight in greensleeves.accompaniment()]
    tune = sorted({(at, midi) for at, midi, _ in greensleeves.melody()})
    tune = [(at, 1.5, midi, 0.6) for at, midi in tune]
    return compound(146.0 * pace, 108.0, [Part("chords", low), Part("chords", tune)])


def _canon(pace):
    ground, chords, tune = [], [], []
    for beat in range(64):
        ground.append((beat, 0.93, canon.GROUND[beat % 8], 0.62))
        if beat >= 8:
            chords += [
                (beat + 0.02 * i, 0.9, midi, 0.42)
                for i, midi in enumerate(pitches(canon.CHORDS[beat % 8]))
            ]
    for place, (unit, text) in enumerate(canon.VARIATIONS):
        tune += [
            (beat, beats, midi, 0.6) for beat, beats, midi in phrase(text, 8.0 + 8.0 * place, unit)
        ]
    return Score(
        4, 60.0 * pace, 64.0, [Part("bass", ground), Part("chords", chords), Part("melody", tune)]
    )


def _lantern_street(pace):
    bars = len(lantern_street.BARS)
    chords, bass, drums, tune = [], [], [], []
    for beat, name, whole in lantern_street.halves():
        voicing, root = lantern_street.VOICING[name]
        for midi in pitches(voicing):
            chords += [(beat, 1.2, midi, 0.5), (beat + 1.5, 0.4 if not whole else 2.0, midi, 0.45)]
        low = pitch(root) + 12
        bass += [(beat, 1.4, low, 0.65), (beat + 1.5, 0.5, low + 7, 0.5)]
        if whole:
            bass += [(beat + 2.0, 1.5, low, 0.55), (beat + 3.5, 0.5, low - 1, 0.5)]
    for bar in range(bars - 1):
        drums += [
            (4.0 * bar + at, name, velocity)
            for at, name, velocity in lantern_street.bar_of_drums(bar)
        ]
    for first, text in (
        (2, lantern_street.TUNE_A),
        (10, lantern_street.TUNE_B),
        (18, lantern_street.TUNE_A_LAST),
    ):
        tune += [(beat, beats, midi, 0.65) for beat, beats, midi in phrase(text, 4.0 * first, 0.5)]
    parts = [Part("chords", chords), Part("bass", bass), Part("drums", drums), Part("melody", tune)]
    return Score(4, 104.0 * pace, 4.0 * bars, parts, 0.57, 1.0)


def song(beats_in_bar, tempo, tune, unit, chords, manner, drums=None, swing=0.5, upbeat=0.0):
    """A tune, a chord for each bar, and a manner of accompaniment `(place, beats, voice, velocity)`.

    Voice 0 is the bass, the others the chord from below; `"all"` is all but the bass.
    """
    melody = [(beat, 0.95 * beats, midi, 0.62) for beat, beats, midi in phrase(tune, -upbeat, unit)]
    low, middle, strokes = [], [], []
    names = chords.replace("|", " ").split()
    for bar, name in enumerate(names):
        tones = pitches(name.replace(",", " "))
        for place, beats, voice, velocity in manner:
            beat = bar * beats_in_bar + place
            voices = range(1, len(tones)) if voice == "all" else [voice]
            for index in voices:
                note = (beat, beats, tones[index % len(tones)], velocity)
                (low if index == 0 else middle).append(note)
        strokes += [
            (bar * beats_in_bar + place, name, velocity) for place, name, velocity in drums or []
        ]
    parts = [
        Part("melody", melody),
        Part("bass", low),
        Part("chords", middle),
        Part("drums", strokes),
    ]
    beats = float(beats_in_bar * len(names))
    return Score(beats_in_bar, tempo, beats, [part for part in parts if part.notes], swing, 1.0)


def _joy(pace):
    tune = """E4:1 E4:1 F4:1 G4:1 | G4:1 F4:1 E4:1 D4:1 | C4:1 C4:1 D4:1 E4:1 | E4:1.5 D4:.5 D4:2
    E4:1 E4:1 F4:1 G4:1 | G4:1 F4:1 E4:1 D4:1 | C4:1 C4:1 D4:1 E4:1 | D4:1.5 C4:.5 C4:2
    D4:1 D4:1 E4:1 C4:1 | D4:1 E4:.5 F4:.5 E4:1 C4:1 | D4:1 E4:.5 F4:.5 E4:1 D4:1 | C4:1 D4:1 G3:2
    E4:1 E4:1 F4:1 G4:1 | G4:1 F4:1 E4:1 D4:1 | C4:1 C4:1 D4:1 E4:1 | D4:1.5 C4:.5 C4:2"""
    c, g = "C3,E3,G3,C4", "G2,F3,G3,B3"
    chords = " ".join([c, g, c, g, c, g, c, c, g, g, g, g, c, g, c, c])
    return song(
        4,
        116.0 * pace,
        tune,
        1.0,
        chords,
        [(0, 2, 0, 0.6), (2, 2, 0, 0.5)] + [(b, 0.9, "all", 0.36) for b in range(4)],
    )


def _minuet(pace):
    tune = """D5:1 G4:.5 A4:.5 B4:.5 C5:.5 | D5:1 G4:1 G4:1 | E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 |
    G5:1 G4:1 G4:1
    C5:1 D5:.5 C5:.5 B4:.5 A4:.5 | B4:1 C5:.5 B4:.5 A4:.5 G4:.5 | F#4:1 G4:.5 A4:.5 B4:.5 G4:.5 |
    A4:3
    D5:1 G4:.5 A4:.5 B4:.5 C5:.5 | D5:1 G4:1 G4:1 | E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 | G5:1 G4:1 G4:1
    C5:1 D5:.5 C5:.5 B4:.5 A4:.5 | B4:1 C5:.5 B4:.5 A4:.5 G4:.5 | A4:1 B4:.5 A4:.5 G4:.5 F#4:.5 |
    G4:3"""
    g, c, d = "G2,B3,D4", "C3,C4,E4", "D3,A3,C4"
    chords = " ".join(
        [
            g,
            "B2,B3,D4",
            c,
            "B2,B3,D4",
            "A2,A3,C4",
            g,
            d,
            "D3,F#3,A3",
            g,
            "B2,B3,D4",
            c,
            "B2,B3,D4",
            "A2,A3,C4",
            g,
            d,
            g,
        ]
    )
    return song(
        3,
        126.0 * pace,
        tune,
        1.0,
        chords,
        [(0, 1.9, 0, 0.55), (0, 2.8, 1, 0.36), (2, 0.9, 2, 0.36)],
    )


def _folia(pace):
    """The sarabande: the second beat is the long one."""
    tune = """D5:1 D5:1.5 E5:.5 | C#5:2 A4:1 | D5:1 D5:1.5 E5:.5 | E5:3 | F5:1 F5:1.5 G5:.5 |
    E5:2 C5:1
    D5:1 D5:1 C#5:1 | C#5:3 | D5:1 D5:1.5 E5:.5 | C#5:2 A4:1 | D5:1 D5:1.5 E5:.5 | E5:3
    F5:1 F5:1.5 G5:.5 | E5:2 C5:1 | D5:1 D5:.5 C#5:.5 C#5:1 | D5:3"""
    dm, a, c, f = "D3,A3,D4,F4", "A2,A3,C#4,E4", "C3,G3,C4,E4", "F2,A3,C4,F4"
    chords = " ".join([dm, a, dm, c, f, c, dm, a, dm, a, dm, c, f, c, a, dm])
    return song(
        3,
        78.0 * pace,
        tune,
        1.0,
        chords,
        [(0, 1, 0, 0.55), (1, 2, "all", 0.45), (0, 1, "all", 0.33)],
    )


def _jig(pace):
    tune = """G4:1 B3:1 B3:1 D4:1 B3:1 B3:1 | G4:1 B3:1 G4:1 B4:1 A4:1 G4:1 |
    F#4:1 C4:1 C4:1 E4:1 C4:1 C4:1
    F#4:1 C4:1 F#4:1 A4:1 G4:1 F#4:1 | G4:1 B3:1 B3:1 D4:1 B3:1 B3:1 | G4:1 B3:1 G4:1 B4:1 A4:1 G4:1
    A4:1 B4:1 A4:1 G4:1 F#4:1 E4:1 | D4:1 G4:1 G4:1 G4:3
    B4:1 G4:1 G4:1 D4:1 G4:1 G4:1 | B4:1 G4:1 B4:1 D5:1 C5:1 B4:1 |
    A4:1 F#4:1 F#4:1 D4:1 F#4:1 F#4:1
    A4:1 F#4:1 A4:1 C5:1 B4:1 A4:1 | G4:1 B4:1 D5:1 G4:1 B4:1 D5:1 | E5:1 D5:1 C5:1 B4:1 A4:1 G4:1
    A4:1 B4:1 A4:1 G4:1 F#4:1 E4:1 | D4:1 G4:1 G4:1 G4:3"""
    g, d, c = "G2,D3,G3,B3", "D3,A3,C4,F#4", "C3,G3,C4,E4"
    chords = " ".join([g, g, d, d, g, g, d, g, g, g, d, d, g, c, d, g] * 2)
    manner = [(0, 2, 0, 0.6), (3, 2, 0, 0.5), (2, 0.8, "all", 0.38), (5, 0.8, "all", 0.38)]
    score = song(6, 330.0 * pace, f"{tune} {tune}", 1.0, chords, manner)
    return compound(score.beats_per_minute, score.beats, score.parts)


def _tango(pace):
    tune = """r:.5 A4:.25 B4:.25 C5:.5 B4:.5 | A4:.75 E4:.25 A4:1 | r:.5 B4:.25 C5:.25 D5:.5 C5:.5
    B4:.75 G#4:.25 B4:1 | r:.5 E5:.25 D5:.25 C5:.5 B4:.5 | C5:.75 A4:.25 F4:1
    r:.25 E4:.25 G#4:.25 B4:.25 D5:.5 B4:.5 | A4:1.5 r:.5 """
    am, e, dm = "A2,E3,A3,C4", "E2,E3,G#3,D4", "D3,F3,A3,D4"
    chords = " ".join([am, am, e, e, am, dm, e, am] * 3)
    manner = [
        (0, 0.7, 0, 0.65),
        (0.75, 0.2, "all", 0.4),
        (1, 0.4, "all", 0.45),
        (1.5, 0.4, 0, 0.5),
        (1.5, 0.4, "all", 0.35),
    ]
    return song(2, 62.0 * pace, " ".join([tune] * 3), 1.0, chords, manner)


def _five(pace):
    tune = """E4:1 G4:.5 A4:1 B4:.5 D5:1 B4:1 | A4:2.5 G4:.5 E4:2 |
    E4:1 G4:.5 A4:1 B4:.5 E5:1 D5:1 | B4:3 r:2
    G4:1 A4:.5 B4:1 D5:.5 E5:1 G5:1 | F#5:1.5 E5:1.5 D5:2 | C5:1 B4:.5 A4:1 G4:.5 A4:1 F#4:1 |
    E4:3 r:2"""
    em, b, c = "E2,G3,B3,D4", "B2,F#3,A3,D4", "C3,G3,B3,E4"
    chords = " ".join([em, b, em, b, c, b, c, em] * 2)
    drums = (
        [(0, "kick", 0.8), (3, "kick", 0.6), (3, "rim", 0.6), (1.5, "rim", 0.4)]
        + [(b, "ride", 0.6) for b in range(5)]
        + [(1.5, "ride", 0.4), (4.5, "ride", 0.4)]
    )
    manner = [
        (0, 2, 0, 0.6),
        (3, 2, 0, 0.5),
        (0, 0.9, "all", 0.4),
        (1.5, 1.2, "all", 0.4),
        (3, 0.9, "all", 0.4),
    ]
    return song(5, 150.0 * pace, " ".join([tune] * 2), 1.0, chords, manner, drums, 0.6)


def _seven(pace):
    tune = """D5:1 E5:1 F5:1 A5:1.5 G5:.5 F5:1 E5:1 | D5:2 C5:2 A4:3 |
    D5:1 E5:1 F5:1 G5:1.5 F5:.5 E5:1 C5:1
    D5:4 r:3 | A4:1 C5:1 D5:1 F5:1.5 E5:.5 D5:1 C5:1 | A4:2 G4:2 E4:3 |
    F4:1 G4:1 A4:1 C5:2 B4:1 C5:1 | D5:4 r:3"""
    dm, c, bb, am = "D3,A3,D4,F4", "C3,G3,C4,E4", "Bb2,F3,Bb3,D4", "A2,E3,A3,C4"
    chords = " ".join([dm, c, dm, dm, bb, c, am, dm] * 2)
    drums = [(0, "kick", 0.8), (2, "kick", 0.5), (4, "snare", 0.6), (6, "snare", 0.4)] + [
        (b, "hat", 0.5) for b in range(7)
    ]
    manner = [
        (0, 2, 0, 0.6),
        (4, 2, 0, 0.55),
        (2, 0.8, "all", 0.4),
        (5, 0.8, "all", 0.4),
        (6, 0.8, "all", 0.35),
    ]
    return song(7, 170.0 * pace, " ".join([tune] * 2), 1.0, chords, manner, drums)


def _blues(pace):
    tune = """r:1 G4:.5 Bb4:.5 C5:1 Bb4:.5 G4:.5 | F4:.5 G4:1.5 r:2 |
    r:1 G4:.5 Bb4:.5 C5:1 Eb5:1 | D5:.5 C5:1.5 r:2
    r:1 C5:.5 Eb5:.5 F5:1 Eb5:.5 C5:.5 | Bb4:.5 C5:1.5 r:2 | r:1 G4:.5 Bb4:.5 C5:1 Bb4:.5 G4:.5 |
    F4:.5 G4:1.5 r:2
    D5:1 D5:.5 F5:.5 D5:1 C5:1 | C5:1 C5:.5 Eb5:.5 C5:1 Bb4:1 | G4:.5 Bb4:.5 C5:.5 Bb4:.5 G4:2 |
    r:4"""
    c, f, g = "C2,E3,Bb3,D4", "F2,Eb3,A3,C4", "G2,F3,B3,D4"
    chords = " ".join([c, c, c, c, f, f, c, c, g, f, c, g] * 2)
    drums = [(0, "kick", 0.7), (2, "kick", 0.6), (1, "snare", 0.6), (3, "snare", 0.65)] + [
        (b / 2, "ride", 0.6 if b % 2 == 0 else 0.4) for b in range(8)
    ]
    manner = [(b, 0.9, 0, 0.6) for b in range(4)] + [(1.5, 0.4, "all", 0.4), (3.5, 0.4, "all", 0.4)]
    return song(4, 122.0 * pace, " ".join([tune] * 2), 1.0, chords, manner, drums, 0.64)


def _loop(pace):
    """A syncopated groove in sixteenths."""
    tune = """A4:.75 C5:.75 D5:.5 r:.5 E5:.5 D5:.5 C5:.5 | A4:1.5 G4:.5 r:2 |
    F4:.75 A4:.75 C5:.5 r:.5 D5:.5 C5:.5 A4:.5
    G4:1.5 E4:.5 r:2"""
    chords = " ".join(["A2,E3,A3,C4", "A2,G3,C4,E4", "F2,F3,A3,C4", "G2,G3,B3,D4"] * 5)
    drums = [
        (0, "kick", 0.9),
        (0.75, "kick", 0.6),
        (2.5, "kick", 0.8),
        (1, "snare", 0.8),
        (3, "snare", 0.8),
        (1.75, "ghost", 0.25),
        (2.25, "ghost", 0.2),
    ] + [(b / 4, "hat", 0.55 if b % 2 == 0 else 0.35) for b in range(16)]
    manner = [
        (0, 0.7, 0, 0.7),
        (0.75, 0.7, 0, 0.55),
        (2.5, 0.9, 0, 0.6),
        (0, 0.4, "all", 0.4),
        (1.5, 0.4, "all", 0.4),
        (2.75, 0.4, "all", 0.4),
    ]
    return song(4, 96.0 * pace, " ".join([tune] * 5), 1.0, chords, manner, drums)


SCORES = {
    "prelude": _prelude,
    "greensleeves": _greensleeves,
    "canon": _canon,
    "lantern-street": _lantern_street,
    "joy": _joy,
    "minuet": _minuet,
    "folia": _folia,
    "jig": _jig,
    "tango": _tango,
    "five": _five,
    "seven": _seven,
    "blues": _blues,
    "loop": _loop,
}

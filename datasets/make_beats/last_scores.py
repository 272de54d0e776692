"""Pieces that were measured once, when all was decided: old tunes, and a pattern of dance music."""

from .written_scores import compound, song


def _each(places, beats, voice, velocity):
    return [(place, beats, voice, velocity) for place in places]


def _lullaby(pace):
    tune = """E4:.5 E4:.5 | G4:1.5 E4:.5 E4:1 | G4:2 E4:.5 G4:.5 | C5:1 B4:1 A4:1 | A4:1 G4:1 D4:.5 E4:.5
    F4:1 D4:1 D4:.5 E4:.5 | F4:2 D4:.5 F4:.5 | B4:.5 A4:.5 G4:1 B4:1 | C5:2 C4:.5 C4:.5
    C5:2 A4:.5 F4:.5 | G4:2 E4:.5 C4:.5 | F4:1 G4:1 A4:1 | G4:2 C4:.5 C4:.5
    C5:2 A4:.5 F4:.5 | G4:2 E4:.5 C4:.5 | F4:.5 E4:.5 D4:1 D4:1 | C4:2 r:1"""
    c, g, f = "C3,G3,C4,E4", "G2,F3,G3,B3", "F2,F3,A3,C4"
    chords = " ".join([c, c, f, c, g, g, g, c, f, c, f, c, f, c, g, c])
    manner = [(0, 2.8, 0, 0.55), (1, 0.5, 1, 0.4), (1.5, 0.5, 2, 0.4), (2, 0.9, 3, 0.42)]
    return song(3, 80.0 * pace, tune, 1.0, chords, manner, upbeat=1.0)


def _auld_lang_syne(pace):
    tune = """C4:1 | F4:1.5 F4:.5 F4:1 A4:1 | G4:1.5 F4:.5 G4:1 A4:1 | F4:1.5 F4:.5 A4:1 C5:1 | D5:3 D5:1
    C5:1.5 A4:.5 A4:1 F4:1 | G4:1.5 F4:.5 G4:1 A4:1 | F4:1.5 D4:.5 D4:1 C4:1 | F4:3 D5:1
    C5:1.5 A4:.5 A4:1 F4:1 | G4:1.5 F4:.5 G4:1 D5:1 | C5:1.5 A4:.5 A4:1 C5:1 | D5:3 D5:1
    C5:1.5 A4:.5 A4:1 F4:1 | G4:1.5 F4:.5 G4:1 A4:1 | F4:1.5 D4:.5 D4:1 C4:1 | F4:3 r:1"""
    f, c, b = "F2,A3,C4,F4", "C3,G3,Bb3,E4", "Bb2,Bb3,D4,F4"
    chords = " ".join([f, c, f, b, f, c, b, f] * 2)
    manner = _each([0, 1, 2, 3], 0.95, "all", 0.38) + _each([0, 2], 1.9, 0, 0.55)
    return song(4, 96.0 * pace, tune, 1.0, chords, manner, upbeat=1.0)


def _silent_night(pace):
    tune = """G4:1.5 A4:.5 G4:1 E4:3 | G4:1.5 A4:.5 G4:1 E4:3 | D5:2 D5:1 B4:3 | C5:2 C5:1 G4:3
    A4:2 A4:1 C5:1.5 B4:.5 A4:1 | G4:1.5 A4:.5 G4:1 E4:3 | A4:2 A4:1 C5:1.5 B4:.5 A4:1
    G4:1.5 A4:.5 G4:1 E4:3 | D5:2 D5:1 F5:1.5 D5:.5 B4:1 | C5:3 E5:3
    C5:1.5 G4:.5 E4:1 G4:1.5 F4:.5 D4:1 | C4:6"""
    c, g, f = "C3,G3,C4,E4", "G2,G3,B3,F4", "F2,A3,C4,F4"
    chords = " ".join([c, c, g, c, f, c, f, c, g, c, c, c])
    manner = [(0, 2.8, 0, 0.55), (3, 2.8, 0, 0.5)] + [
        (p, 0.9, v, 0.4) for p, v in ((1, 1), (2, 2), (4, 3), (5, 2))
    ]
    score = song(6, 132.0 * pace, tune, 1.0, chords, manner)
    return compound(score.beats_per_minute, score.beats, score.parts)


def _korobeiniki(pace):
    tune = """E5:1 B4:.5 C5:.5 D5:1 C5:.5 B4:.5 | A4:1 A4:.5 C5:.5 E5:1 D5:.5 C5:.5 | B4:1.5 C5:.5 D5:1 E5:1
    C5:1 A4:1 A4:1 r:1 | r:.5 D5:1 F5:.5 A5:1 G5:.5 F5:.5 | E5:1.5 C5:.5 E5:1 D5:.5 C5:.5
    B4:1 B4:.5 C5:.5 D5:1 E5:1 | C5:1 A4:1 A4:1 r:1"""
    e, am, dm = "E2,G#3,B3,E4", "A2,A3,C4,E4", "D3,A3,D4,F4"
    chords = " ".join([e, am, e, am, dm, am, e, am] * 2)
    drums = [(0, "kick", 0.8), (2, "kick", 0.7), (1, "snare", 0.6), (3, "snare", 0.65)]
    drums += [(b + 0.5, "hat", 0.5) for b in range(4)]
    manner = _each([0, 1, 2, 3], 0.4, 0, 0.6) + _each([0.5, 1.5, 2.5, 3.5], 0.3, "all", 0.38)
    return song(4, 138.0 * pace, " ".join([tune] * 2), 1.0, chords, manner, drums)


def _scarborough_fair(pace):
    tune = """D4:2 D4:1 | A4:2 A4:1 | E4:1.5 F4:.5 E4:1 | D4:3 | r:1 A4:1 C5:1 | D5:2 C5:1 | A4:1 B4:1 G4:1
    A4:3 | r:2 D5:1 | D5:2 D5:1 | C5:2 A4:1 | A4:1 G4:1 F4:1 | E4:1 C4:2 | D4:2 A4:1 | G4:2 F4:1
    E4:1 D4:1 C4:1 | D4:3"""
    dm, c, f, g = "D3,A3,D4,F4", "C3,G3,C4,E4", "F2,A3,C4,F4", "G2,G3,B3,D4"
    chords = " ".join([dm, dm, c, dm, dm, f, g, dm, dm, dm, f, f, c, dm, g, c, dm])
    manner = [
        (0, 0.5, 0, 0.55),
        (0.5, 0.5, 1, 0.38),
        (1, 0.5, 2, 0.4),
        (1.5, 0.5, 3, 0.38),
        (2, 0.5, 2, 0.4),
        (2.5, 0.5, 1, 0.38),
    ]
    return song(3, 112.0 * pace, tune, 1.0, chords, manner)


def _row_your_boat(pace):
    tune = """C4:3 C4:3 | C4:2 D4:1 E4:3 | E4:2 D4:1 E4:2 F4:1 | G4:6
    C5:1 C5:1 C5:1 G4:1 G4:1 G4:1 | E4:1 E4:1 E4:1 C4:1 C4:1 C4:1 | G4:2 F4:1 E4:2 D4:1 | C4:6"""
    c, g = "C3,G3,C4,E4", "G2,F3,G3,B3"
    chords = " ".join([c, c, c, c, c, c, g, c] * 3)
    manner = [(0, 2.5, 0, 0.55), (3, 2.5, 0, 0.5), (2, 0.9, "all", 0.36), (3, 0.9, "all", 0.36)]
    score = song(6, 288.0 * pace, " ".join([tune] * 3), 1.0, chords, manner)
    return compound(score.beats_per_minute, score.beats, score.parts)


def _night_club(pace):
    tune = (
        """r:4 | A4:.75 A4:.75 C5:.5 r:.5 B4:.5 A4:1 | r:4 | G4:.75 G4:.75 B4:.5 r:.5 A4:.5 G4:1"""
    )
    chords = " ".join(["A2,A3,C4,E4", "A2,A3,C4,E4", "F2,A3,C4,F4", "G2,B3,D4,G4"] * 4)
    drums = [(float(b), "kick", 0.9) for b in range(4)] + [
        (b + 0.5, "open_hat", 0.5) for b in range(4)
    ]
    drums += [(1.0, "snare", 0.5), (3.0, "snare", 0.5)] + [(b / 4, "hat", 0.3) for b in range(16)]
    manner = _each([0.5, 1.5, 2.5, 3.5], 0.4, 0, 0.65) + _each(
        [0, 0.75, 1.5, 2.5], 0.3, "all", 0.38
    )
    return song(4, 124.0 * pace, " ".join([tune] * 4), 1.0, chords, manner, drums)


SCORES = {
    "lullaby": _lullaby,
    "auld-lang-syne": _auld_lang_syne,
    "silent-night": _silent_night,
    "korobeiniki": _korobeiniki,
    "scarborough-fair": _scarborough_fair,
    "row-your-boat": _row_your_boat,
    "night-club": _night_club,
}

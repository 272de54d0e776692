"""Greensleeves (traditional, 16th century), arranged for one guitar in A minor."""

import numpy as np

from ..mixing import room
from ..piece import Piece
from ..plucked import GUITAR, PluckedStrings, guitar_body
from ..score import Note, Tempo, dynamics, humanised, phrase, pitches

# Lengths in eighths; a bar is 6, the verse begins with an upbeat of one.
_VERSE = """
A4:1 | C5:2 D5:1 E5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1
C5:2 A4:1 A4:1.5 G#4:.5 A4:1 | B4:2 G#4:1 E4:2 A4:1
C5:2 D5:1 E5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1
C5:1.5 B4:.5 A4:1 G#4:1.5 F#4:.5 G#4:1 | A4:3 A4:3
"""
_CHORUS = """
G5:3 G5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1
C5:2 A4:1 A4:1.5 G#4:.5 A4:1 | B4:2 G#4:1 E4:3
G5:3 G5:1.5 F#5:.5 E5:1 | D5:2 B4:1 G4:1.5 A4:.5 B4:1
C5:1.5 B4:.5 A4:1 G#4:1.5 F#4:.5 G#4:1 | A4:6
"""
# Accompaniment, one chord for each half bar: bass, then two inner notes.
_INTRO_CHORDS = ["A2 E3 C4", "A2 E3 C4", "G2 D3 B3", "E2 B2 G#3"]
_VERSE_CHORDS = [
    "A2 E3 A3", "A2 E3 C4", "G2 D3 G3", "G2 D3 B3", "F2 C3 F3", "F2 C3 F3", "E2 B2 E3", "E2 G#3 B3",
    "A2 E3 A3", "A2 E3 C4", "G2 D3 G3", "G2 D3 B3", "F2 C3 F3", "E2 B2 E3", "A2 E3 C4", "A2 E3 C4",
]
_CHORUS_CHORDS = [
    "C3 G3 C4", "C3 E3 C4", "G2 D3 G3", "G2 D3 B3", "F2 C3 F3", "A2 E3 A3", "E2 B2 E3", "E2 G#3 B3",
    "C3 G3 C4", "C3 E3 C4", "G2 D3 G3", "B2 D3 G3", "F2 C3 F3", "E2 B2 E3", "A2 E3 A3", "C4 E4 A4",
]
_TEMPO = Tempo([
    (0, 130), (9, 150), (12, 146), (33, 156), (35.5, 140), (37, 152), (55, 152), (59, 132), (61, 154),
    (81, 158), (84, 140), (86, 154), (97, 148), (100, 128), (102, 136), (105, 112), (108, 96),
])
_LOUDNESS = dynamics([
    (0, 0.42), (12, 0.50), (27, 0.60), (35, 0.46), (48, 0.58), (58, 0.46), (60, 0.76), (72, 0.62),
    (83, 0.50), (84, 0.72), (96, 0.58), (102, 0.44), (108, 0.36),
])
_VERSE_AT, _CHORUS_AT, _END = 12, 60, 108


def accompaniment():
    """`(eighth, midi, weight)`: intro on all six eighths, then bass and inner voices."""
    events = []
    for half, chord in enumerate(_INTRO_CHORDS):
        bass, low, high = pitches(chord)
        for step, midi in enumerate([bass, low, high]):
            events.append((3.0 * half + step, midi, [1.0, 0.7, 0.8][step]))
    for first, chords in ((_VERSE_AT, _VERSE_CHORDS), (_CHORUS_AT, _CHORUS_CHORDS)):
        for half, chord in enumerate(chords):
            bass, low, high = pitches(chord)
            at = first + 3.0 * half
            stress = 0.9 if half % 2 == 0 else 0.75
            events += [(at, bass, stress), (at + 1, low, 0.55), (at + 2, high, 0.6)]
    return events


def melody():
    """The tune; long notes of the chorus get a lower third or sixth under them."""
    events = [(at, midi, 1.0) for at, _, midi in phrase(_VERSE, start=_VERSE_AT - 1)]
    events += [(at, midi, 1.0) for at, _, midi in phrase(_CHORUS, start=_CHORUS_AT)]
    for at in (_CHORUS_AT, _CHORUS_AT + 24):
        events.append((at, pitches("E5")[0], 0.62))
        events.append((at + 6, pitches("G4")[0], 0.55))
    return events


def _until_next(at, midi, events):
    """A string sounds until it is plucked again: here, until a note within a tone of it."""
    later = [other for other, pitch, _ in events if other > at + 0.1 and abs(pitch - midi) <= 2]
    return min(min(later, default=_END + 6), at + 9.0)


def _notes(rng):
    shift = humanised(rng, seconds=0.007, velocity=0.025)
    events = sorted(accompaniment() + melody())
    tune = {(at, midi) for at, midi, _ in melody()}
    notes = []
    for at, midi, weight in events:
        start, velocity = shift(_TEMPO.seconds(at) + 0.1, _LOUDNESS(at) * weight)
        # The thumb comes a moment before the singing finger.
        start += 0.018 if (at, midi) in tune else 0.0
        held = _TEMPO.seconds(_until_next(at, midi, events)) + 0.1 - start
        notes.append(Note(start, max(held, 0.12), midi, velocity))
    last = _TEMPO.seconds(_END) + 0.1
    for number, midi in enumerate(pitches("A2 E3 A3 C4 E4 A4")):
        notes.append(Note(last + 0.06 * number, 4.5, midi, 0.37 - 0.015 * number))
    return notes, last + 7.0


def _render(sample_rate_hz):
    notes, seconds = _notes(np.random.default_rng(1580))
    guitar = PluckedStrings(GUITAR, sample_rate_hz, seed=7, body=guitar_body(sample_rate_hz, seed=11))
    dry = guitar.play(notes, seconds)
    return room(dry, sample_rate_hz, seed=5, decay_seconds=1.2, wet_db=-15.0, darkness=0.5)


PIECE = Piece(
    name="greensleeves", extension="flac", title="Greensleeves",
    composer="Traditional (England, 16th century)", instrument="classical guitar",
    render=_render, target_lufs=-18.0, mono=True,
)

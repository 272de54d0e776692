"""Lantern Street: a relaxed tune for drums, bass, electric piano and a lead, 104 beats a minute."""

import numpy as np

from ..drums import DrumKit
from ..electric_piano import ElectricPiano
from ..mastering import loudness_lufs
from ..mixing import compressed, decibels, room
from ..piece import Piece
from ..plucked import BASS, PluckedStrings
from ..score import Note, humanised, phrase, pitches
from ..synth_lead import SynthLead

_BPM = 104.0
_SWING = 0.57
_INTRO_BARS = 2
# Voicings for the left and right hand together, and the bass note.
VOICING = {
    "Fmaj9": ("A3 C4 E4 G4", "F1"), "Em7b5": ("G3 Bb3 D4 E4", "E1"), "A7b13": ("G3 C#4 F4 A4", "A1"),
    "Dm9": ("F3 A3 C4 E4", "D2"), "Cm9": ("Eb3 G3 Bb3 D4", "C2"), "F13": ("Eb3 A3 D4 G4", "F1"),
    "Bbmaj9": ("D3 A3 C4 F4", "Bb1"), "Am7": ("G3 C4 E4 A4", "A1"), "D7b9": ("F#3 C4 Eb4 A4", "D2"),
    "Gm9": ("F3 A3 Bb3 D4", "G1"), "C13sus": ("Bb3 D4 F4 A4", "C2"), "C13": ("Bb3 D4 E4 A4", "C2"),
    "Bbm9": ("Db4 F4 Ab4 C5", "Bb1"), "Am9": ("G3 B3 C4 E4", "A1"), "D9": ("F#3 C4 E4 A4", "D2"),
    "G13": ("F3 B3 E4 A4", "G1"), "Eb9": ("G3 Db4 F4 Bb4", "Eb2"),
}
# One entry per bar; two chords share a bar by halves.
_A = ["Fmaj9", "Em7b5 A7b13", "Dm9", "Cm9 F13", "Bbmaj9", "Am7 D7b9", "Gm9", "C13sus C13"]
_B = ["Bbmaj9", "Bbm9 Eb9", "Am9", "D9", "Gm9", "A7b13", "Dm9 G13", "Gm9 C13sus"]
_A_LAST = ["Fmaj9", "Em7b5 A7b13", "Dm9", "Cm9 F13", "Bbmaj9", "Am7 D7b9", "Gm9 C13", "Fmaj9"]
BARS = ["Fmaj9", "Gm9 C13", *_A, *_B, *_A_LAST]

# Lengths in eighths, eight to the bar.
TUNE_A = """
r:1 A4:1 C5:1 E5:2 D5:1 C5:1 A4:1 | Bb4:3 A4:1 G4:1 C#5:3
r:1 D5:1 F5:1 E5:2 D5:1 A4:2 | G4:2 Bb4:1 D5:2 C5:1 A4:2
r:1 F4:1 A4:1 C5:2 D5:1 F5:2 | E5:3 D5:1 C5:1 Eb5:1 D5:2
r:1 Bb4:1 D5:1 A5:2 G5:1 F5:1 D5:1 | F5:3 D5:1 E5:2 r:2
"""
TUNE_B = """
D5:4 r:1 C5:1 D5:1 F5:1 | G5:3 F5:2 Db5:3 | C5:1 E5:3 r:1 B4:1 C5:1 E5:1 | F#5:3 E5:2 C5:3
Bb4:1 D5:3 r:1 A4:1 Bb4:1 D5:1 | F5:3 E5:1 C#5:4 | D5:1 E5:1 F5:2 E5:2 D5:1 B4:1 | A4:1 Bb4:1 D5:2 C5:2 r:2
"""
TUNE_A_LAST = """
r:1 A4:.5 Bb4:.5 C5:1 E5:2 G5:1 E5:1 C5:1 | Bb4:2 D5:1 A4:1 G4:1 C#5:3
r:1 D5:.5 E5:.5 F5:1 A5:2 G5:1 E5:2 | D5:2 Eb5:1 G5:2 F5:1 D5:1 A4:1
r:1 F4:1 A4:1 C5:1 D5:1 F5:1 A5:2 | G5:3 E5:1 C5:1 Eb5:1 D5:2
Bb4:1 D5:1 F5:1 A5:1 G5:1 E5:1 D5:1 C5:1 | G4:1 A4:7
"""


def _seconds(beat):
    """Swung time of a beat: the off-beat eighth comes late."""
    whole, part = divmod(beat, 1.0)
    swung = part * 2 * _SWING if part <= 0.5 else _SWING + (part - 0.5) * 2 * (1 - _SWING)
    return 0.12 + (whole + swung) * 60.0 / _BPM


def _note(shift, beat, beats, midi, velocity, late=0.0):
    start, level = shift(_seconds(beat) + late, velocity)
    return Note(start, _seconds(beat + beats) + late - start, midi, level)


def halves():
    """Every half bar as `(first_beat, chord, is_whole_bar)`."""
    for number, bar in enumerate(BARS):
        chords = bar.split()
        yield 4.0 * number, chords[0], len(chords) == 1
        if len(chords) == 2:
            yield 4.0 * number + 2.0, chords[1], False


def _lead(rng):
    shift = humanised(rng, seconds=0.005, velocity=0.03)
    notes = []
    for first_bar, text, level in ((2, TUNE_A, 0.66), (10, TUNE_B, 0.74), (18, TUNE_A_LAST, 0.78)):
        for beat, beats, midi in phrase(text, start=4.0 * first_bar, unit=0.5):
            stress = 1.0 + 0.008 * (midi - 72) + (0.05 if beats >= 1.0 else -0.04)
            share = 0.96 if beats >= 0.75 else 0.88
            notes.append(_note(shift, beat, beats * share, midi, level * stress, late=0.012))
    joined = []
    for note, following in zip(notes, notes[1:] + [None]):
        limit = following.start - note.start if following else note.duration
        joined.append(Note(note.start, min(note.duration, limit), note.pitch, note.velocity))
    return joined


def _keys(rng):
    """Chords that push: on the beat, and the eighth before the third beat."""
    shift = humanised(rng, seconds=0.006, velocity=0.035)
    notes = []
    for number, (beat, chord, whole_bar) in enumerate(halves()):
        final = beat >= 4.0 * (len(BARS) - 1)
        if final:
            hits = [(0.0, 6.0, 0.62)]
        elif whole_bar:
            hits = [[(0.0, 1.3, 0.58), (1.5, 1.9, 0.50), (3.5, 0.4, 0.40)],
                    [(0.0, 0.8, 0.56), (1.5, 0.4, 0.46), (2.5, 1.3, 0.52)]][number % 2]
        else:
            hits = [(0.0, 1.2, 0.56), (1.5, 0.45, 0.44)]
        for offset, beats, level in hits:
            for voice, midi in enumerate(pitches(VOICING[chord][0])):
                spread = 0.03 * voice if final else 0.004 * voice
                notes.append(_note(shift, beat + offset, beats, midi, level * (0.9 + 0.05 * voice), spread))
    return notes


def _bass(rng):
    shift = humanised(rng, seconds=0.005, velocity=0.03)
    halves = list(halves())
    notes = []
    for index, (beat, chord, whole_bar) in enumerate(halves):
        root = pitches(VOICING[chord][1])[0]
        root = root + 12 if root < 28 else root
        if index + 1 == len(halves):
            notes.append(_note(shift, beat, 5.5, root, 0.72))
            break
        coming = pitches(VOICING[halves[index + 1][1]][1])[0]
        coming = coming + 12 if coming < 28 else coming
        fifth = root + (6 if chord.endswith("b5") else 7)
        approach = coming - 1 if root < coming else coming + 1
        if whole_bar:
            line = [(0.0, 1.35, root, 0.78), (1.5, 0.4, root, 0.58), (2.0, 0.9, fifth, 0.66),
                    (3.0, 0.45, root + 12 if root < 36 else fifth, 0.6), (3.5, 0.45, approach, 0.62)]
        else:
            line = [(0.0, 0.95, root, 0.76), (1.0, 0.45, fifth, 0.58), (1.5, 0.45, approach, 0.62)]
        notes += [_note(shift, beat + offset, beats, midi, level) for offset, beats, midi, level in line]
    return notes


def bar_of_drums(number):
    """Strokes of one bar as `(beat_in_bar, name, velocity)`."""
    bar = number - _INTRO_BARS
    section_start = bar in (0, 8, 16)
    riding = 8 <= bar < 16
    strokes = []
    if number < _INTRO_BARS:
        strokes += [(b, "rim", 0.55) for b in (1.0, 3.0)] + [(0.0, "kick", 0.6), (2.5, "kick", 0.5)]
        strokes += [(b / 2, "shaker", 0.8 if b % 2 else 0.55) for b in range(8)]
        if number == _INTRO_BARS - 1:
            strokes += [(3.0, "snare", 0.5), (3.5, "snare", 0.62), (3.75, "snare", 0.7)]
        return strokes
    strokes += [(0.0, "kick", 0.92), (2.5, "kick", 0.8)] + ([(1.75, "kick", 0.6)] if bar % 2 else [])
    strokes += [(1.0, "snare", 0.72), (3.0, "snare", 0.78)]
    strokes += [(1.75, "ghost", 0.2), (2.25, "ghost", 0.16)] if bar % 2 == 0 else [(3.75, "ghost", 0.22)]
    cymbal = "ride" if riding else "hat"
    opened = not riding and bar % 4 == 3
    for eighth in range(8):
        if opened and eighth == 7:
            strokes.append((3.5, "open_hat", 0.62))
        else:
            strokes.append((eighth / 2, cymbal, [0.72, 0.46, 0.62, 0.5][eighth % 4]))
    if riding:
        strokes += [(1.0, "hat", 0.4), (3.0, "hat", 0.4)]
    if section_start:
        strokes.append((0.0, "crash", 0.62))
    if bar in (7, 15):
        strokes = [stroke for stroke in strokes if stroke[0] < 2.9]
        strokes += [(3.0, "snare", 0.7), (3.25, "snare", 0.5), (3.5, "high_tom", 0.62), (3.75, "low_tom", 0.68)]
    return strokes


def _drums(rng):
    shift = humanised(rng, seconds=0.004, velocity=0.04)
    strokes = []
    last = len(BARS) - 1
    for number in range(last):
        for beat, name, level in bar_of_drums(number):
            at, velocity = shift(_seconds(4.0 * number + beat), level)
            strokes.append((at, name, velocity))
    end = _seconds(4.0 * last)
    return strokes + [(end, "kick", 0.85), (end, "crash", 0.5), (end + 0.01, "ride", 0.4)]


def _render(sample_rate_hz):
    rng = np.random.default_rng(104)
    seconds = _seconds(4.0 * len(BARS)) + 4.0
    bass = PluckedStrings(BASS, sample_rate_hz, seed=62).play(_bass(rng), seconds)
    # Each stem at its own loudness, then the room that suits it.
    stems = [
        (DrumKit(sample_rate_hz, seed=60).play(_drums(rng), seconds), -18.5, 0.5, -15.0),
        (np.tanh(1.5 * bass), -22.5, 0.3, -40.0),
        (ElectricPiano(sample_rate_hz).play(_keys(rng), seconds), -24.5, 1.4, -14.0),
        (SynthLead(sample_rate_hz, seed=61).play(_lead(rng), seconds, 0.75 * 60.0 / _BPM), -21.5, 1.6, -13.0),
    ]
    mix = 0.0
    for number, (sound, lufs, decay_seconds, wet_db) in enumerate(stems):
        sound = sound * decibels(lufs - loudness_lufs(sound, sample_rate_hz))
        mix = mix + room(sound, sample_rate_hz, 70 + number, decay_seconds, wet_db, darkness=0.4)
    # The form as loudness: a quiet start, the bridge up, the last verse widest.
    time = np.arange(mix.shape[1]) / sample_rate_hz
    bars, level_db = [0, 2, 2.1, 9.5, 10, 17.5, 18, 26], [-4.0, -2.0, 0.0, 0.0, 1.2, 1.2, 2.0, 2.0]
    form = decibels(np.interp(time, [_seconds(4.0 * bar) for bar in bars], level_db))
    return form * compressed(mix, sample_rate_hz, threshold_db=-18.0, ratio=1.7)


PIECE = Piece(
    name="lantern-street", extension="mp3", title="Lantern Street", composer="NeuralComposer",
    instrument="drums, bass, electric piano, lead", render=_render, target_lufs=-16.0,
)

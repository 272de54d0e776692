"""Pachelbel: Canon in D, the opening entries, for three violin groups, cellos and harpsichord."""

import numpy as np

from ..bowed import CELLO_TOUCH, VIOLIN_TOUCH, StringSection, cello_body, violin_body
from ..mixing import decibels, room
from ..piece import Piece
from ..plucked import HARPSICHORD, PluckedStrings
from ..score import Note, Tempo, dynamics, humanised, phrase, pitch, pitches

# Each variation lasts one ground: eight quarter notes. Lengths in the unit at its side.
VARIATIONS = [
    (1.0, "F#5:1 E5:1 D5:1 C#5:1 B4:1 A4:1 B4:1 C#5:1"),
    (1.0, "D5:1 C#5:1 B4:1 A4:1 G4:1 F#4:1 G4:1 E4:1"),
    (0.5, "D4:1 F#4:1 A4:1 G4:1 F#4:1 D4:1 F#4:1 E4:1 D4:1 B3:1 D4:1 A4:1 G4:1 B4:1 A4:1 G4:1"),
    (0.5, "F#4:1 D4:1 E4:1 C#5:1 D5:1 F#5:1 A5:1 A4:1 B4:1 G4:1 A4:1 F#4:1 D4:1 D5:1 D5:1.5 C#5:.5"),
    (0.25, "D5:1 C#5:1 D5:1 D4:1 C#4:1 A4:1 E4:1 F#4:1 D4:1 D5:1 C#5:1 B4:1 C#5:1 F#5:1 A5:1 B5:1"
           " G5:1 F#5:1 E5:1 G5:1 F#5:1 E5:1 D5:1 C#5:1 B4:1 A4:1 G4:1 F#4:1 E4:1 G4:1 F#4:1 E4:1"),
    (0.25, "D4:1 E4:1 F#4:1 G4:1 A4:1 E4:1 A4:1 G4:1 F#4:1 B4:1 A4:1 G4:1 A4:1 G4:1 F#4:1 E4:1"
           " D4:1 B4:1 B4:1 C#5:1 D5:1 C#5:1 B4:1 A4:1 G4:1 F#4:1 E4:1 B4:1 A4:1 B4:1 A4:1 G4:1"),
    (0.125, "A5:2 F#5:1 G5:1 A5:2 F#5:1 G5:1 A5:1 A4:1 B4:1 C#5:1 D5:1 E5:1 F#5:1 G5:1"
            " F#5:2 D5:1 E5:1 F#5:2 F#4:1 G4:1 A4:1 B4:1 A4:1 G4:1 A4:1 F#4:1 G4:1 A4:1"
            " G4:2 B4:1 A4:1 G4:2 F#4:1 E4:1 F#4:1 E4:1 D4:1 E4:1 F#4:1 G4:1 A4:1 B4:1"
            " G4:2 B4:1 A4:1 B4:2 C#5:1 D5:1 A4:1 B4:1 C#5:1 D5:1 E5:1 F#5:1 G5:1 A5:1"),
]
GROUND = pitches("D3 A2 B2 F#2 G2 D2 G2 A2")
CHORDS = ["F#4 A4 D5", "E4 A4 C#5", "D4 F#4 B4", "C#4 F#4 A4", "B3 D4 G4", "A3 D4 F#4", "B3 D4 G4",
           "C#4 E4 A4"]
_FINAL = ["F#5", "A4", "D4"]
_GROUNDS = 8
_END = 8.0 * _GROUNDS
_TEMPO = Tempo([(0, 58), (8, 61), (32, 63), (52, 62), (58, 59), (61.5, 52), (63.7, 38), (64, 44)])
_LOUDNESS = dynamics([(0, 0.64), (8, 0.58), (24, 0.60), (40, 0.68), (48, 0.66), (57, 0.82), (62, 0.76),
                      (64, 0.70)])
_START = 0.15


def _voice(number, rng):
    """Violin group `number` enters one ground after the one before it."""
    shift = humanised(rng, seconds=0.005, velocity=0.02)
    notes = []
    for place, (unit, text) in enumerate(VARIATIONS):
        entry = 8.0 * (1 + number + place)
        if entry >= _END:
            break
        for beat, beats, midi in phrase(text, start=entry, unit=unit):
            start, level = shift(_TEMPO.seconds(beat) + _START, _LOUDNESS(beat))
            # Up the line a little louder, and each beat leant on.
            level *= 1.0 + 0.012 * (midi - 69) + (0.06 if beat % 1.0 == 0.0 else 0.0)
            length = _TEMPO.seconds(beat + beats) - _TEMPO.seconds(beat)
            # Quarter notes are bowed apart; quick ones run on.
            notes.append(Note(start, length * (0.94 if beats >= 0.5 else 1.0), midi, level))
    notes.append(Note(_TEMPO.seconds(_END) + _START, 3.9, pitch(_FINAL[number]), 0.66))
    return _without_overlap(notes)


def _without_overlap(notes):
    trimmed = []
    for note, following in zip(notes, notes[1:] + [None]):
        length = note.duration
        if following is not None:
            length = min(length, following.start - note.start)
        trimmed.append(Note(note.start, length, note.pitch, note.velocity))
    return trimmed


def _ground(rng):
    shift = humanised(rng, seconds=0.006, velocity=0.02)
    notes = []
    for beat in range(int(_END)):
        start, level = shift(_TEMPO.seconds(beat) + _START, _LOUDNESS(beat))
        length = 0.93 * (_TEMPO.seconds(beat + 1) - _TEMPO.seconds(beat))
        notes.append(Note(start, length, GROUND[beat % 8], level * (1.06 if beat % 4 == 0 else 1.0)))
    notes.append(Note(_TEMPO.seconds(_END) + _START, 4.0, pitch("D2"), 0.66))
    return _without_overlap(notes)


def _continuo(rng):
    """Harpsichord chords over the ground, spread upwards; from the third ground also a figure."""
    shift = humanised(rng, seconds=0.006, velocity=0.04)
    notes = []
    for beat in range(int(_END)):
        chord = [GROUND[beat % 8] + 12, *pitches(CHORDS[beat % 8])]
        length = 0.92 * (_TEMPO.seconds(beat + 1) - _TEMPO.seconds(beat))
        for number, midi in enumerate(chord):
            start, level = shift(_TEMPO.seconds(beat) + _START + 0.022 * number, 0.5)
            notes.append(Note(start, length, midi, level))
        if beat >= 24:
            start, level = shift(_TEMPO.seconds(beat + 0.5) + _START, 0.38)
            notes.append(Note(start, 0.5 * length, chord[2], level))
    for number, midi in enumerate(pitches("D3 A3 D4 F#4 A4 D5")):
        notes.append(Note(_TEMPO.seconds(_END) + _START + 0.05 * number, 3.8, midi, 0.5))
    return notes


def _render(sample_rate_hz):
    rng = np.random.default_rng(1680)
    seconds = _TEMPO.seconds(_END) + 7.5
    mix = 0.0
    for number, pan in enumerate([-0.55, 0.0, 0.45]):
        section = StringSection(sample_rate_hz, 20 + number, violin_body, VIOLIN_TOUCH, players=4,
                                pan=pan, width=0.22, top_hz=7500)
        mix = mix + section.play(_voice(number, rng), seconds)
    cellos = StringSection(sample_rate_hz, 30, cello_body, CELLO_TOUCH, players=3, pan=0.3, width=0.2,
                           top_hz=4500)
    mix = mix + 0.62 * cellos.play(_ground(rng), seconds)
    harpsichord = PluckedStrings(HARPSICHORD, sample_rate_hz, seed=40)
    mix = mix + decibels(-4.0) * harpsichord.play(_continuo(rng), seconds, pan_per_octave=0.1, pan=-0.15)
    # All draw the last chord out to almost nothing.
    time = np.arange(mix.shape[1]) / sample_rate_hz
    last = _TEMPO.seconds(_END) + _START
    mix = mix * np.interp(time, [last, last + 0.6, last + 3.9], [1.0, 0.9, 0.25])
    return room(mix, sample_rate_hz, seed=9, decay_seconds=2.1, wet_db=-10.5, pre_delay_seconds=0.022,
                darkness=0.5)


PIECE = Piece(
    name="canon", extension="ogg", title="Canon in D (the opening entries)",
    composer="Johann Pachelbel", instrument="strings and harpsichord", render=_render, target_lufs=-17.5,
)

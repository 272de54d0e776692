"""Still Water: a slow air for wooden flute over a drone with a few harp notes. No beat."""

import numpy as np

from ..flute import Flute
from ..mixing import Track, decibels, room
from ..pad import Pad
from ..piece import Piece
from ..plucked import HARP, PluckedStrings
from ..score import Note, Tempo, dynamics, humanised, phrase, pitches

# Beats of the tempo curve below; grace notes are the lengths under a fifth.
_TUNE = """
r:1.6 | A4:.9 C5:.1 D5:2.0 E5:.5 F#5:.5 A5:1.9 F#5:.14 E5:.96 D5:.5 B4:1.9 r:.5
B4:.5 D5:.5 E5:1.4 F#5:.13 E5:.47 D5:.5 B4:.5 A4:2.3 r:.6
A4:.5 B4:.5 D5:.9 E5:.1 F#5:1.2 A5:.8 B5:1.7 A5:.15 F#5:.85 E5:.6 D5:.5 F#5:.12 E5:1.7 r:.5
D5:.5 E5:.5 F#5:.9 E5:.12 D5:.9 B4:.7 A4:.6 B4:.14 D5:4.4
"""
_TEMPO = Tempo([(0, 74), (6, 72), (10, 65), (13, 74), (18, 65), (20, 77), (25, 79), (30, 67), (34, 60),
                (40, 53)])
_LOUDNESS = dynamics([(0, 0.45), (5, 0.68), (7, 0.66), (10.5, 0.45), (14, 0.60), (19, 0.42), (22, 0.62),
                      (25.5, 0.86), (28, 0.66), (30.5, 0.55), (32, 0.58), (35, 0.50), (40, 0.34)])
# Harmony: at each beat, four voices from the bass up.
_HARMONY = [(0, "D3 A3 D4 F#4"), (9.4, "G2 B3 D4 G4"), (15.2, "D3 A3 D4 F#4"), (20.2, "B2 A3 D4 F#4"),
            (24.4, "G2 B3 D4 A4"), (28.6, "A2 A3 E4 A4"), (32.6, "G2 B3 D4 F#4"), (35.2, "D3 A3 D4 F#4"),
            (41, None)]
_HARP = [(0.4, "D3 A3 D4 A4"), (9.5, "G3 D4 G4 B4"), (15.3, "D3 A3 F#4"), (20.3, "B2 F#3 D4 A4"),
         (24.5, "G3 D4 A4 B4"), (28.7, "A2 E3 D4"), (32.7, "G2 D4 B4"), (35.4, "D3 A3 E4 F#4 A4 D5")]


def _flute_notes(rng):
    shift = humanised(rng, seconds=0.008, velocity=0.015)
    notes, slurred_from = [], None
    for beat, beats, midi in phrase(_TUNE):
        start, level = shift(_TEMPO.seconds(beat), _LOUDNESS(beat) * (1.0 + 0.01 * (midi - 74)))
        if slurred_from is not None and abs(beat - slurred_from) < 1e-6:
            start = max(start, notes[-1].start + 0.05)
            notes[-1] = Note(notes[-1].start, start - notes[-1].start, notes[-1].pitch, notes[-1].velocity)
        notes.append(Note(start, _TEMPO.seconds(beat + beats) - start, midi, level))
        slurred_from = beat + beats
    return notes


def _pad_voices():
    voices = [[] for _ in range(4)]
    for (beat, chord), (following, _) in zip(_HARMONY, _HARMONY[1:]):
        start, end = _TEMPO.seconds(beat), _TEMPO.seconds(following)
        for voice, midi in zip(voices, pitches(chord)):
            voice.append(Note(start, end - start, midi, 0.55))
    return voices


def _harp_notes(rng):
    shift = humanised(rng, seconds=0.02, velocity=0.05)
    notes = []
    for beat, chord in _HARP:
        for number, midi in enumerate(pitches(chord)):
            start, level = shift(_TEMPO.seconds(beat) + 0.23 * number, 0.5)
            notes.append(Note(start, 5.0, midi, level))
    return notes


def _render(sample_rate_hz):
    rng = np.random.default_rng(432)
    seconds = _TEMPO.seconds(41) + 4.0
    mix = Track(seconds, sample_rate_hz)
    mix.add_stereo(Pad(sample_rate_hz, seed=50).play(_pad_voices(), seconds), gain=decibels(-12.0))
    harp = PluckedStrings(HARP, sample_rate_hz, seed=51).play(_harp_notes(rng), seconds, pan_per_octave=0.2)
    mix.add_stereo(harp, gain=decibels(-8.0))
    mix.add(Flute(sample_rate_hz, seed=52).play(_flute_notes(rng), seconds), 0.0, 0.05, decibels(-3.0))
    return room(mix.samples, sample_rate_hz, seed=13, decay_seconds=2.6, wet_db=-9.0,
                pre_delay_seconds=0.03, darkness=0.45)


PIECE = Piece(
    name="still-water", extension="wav", title="Still Water", composer="NeuralComposer",
    instrument="wooden flute, drone, harp", render=_render, target_lufs=-17.5, mono=True,
    file_sample_rate_hz=22050,
)

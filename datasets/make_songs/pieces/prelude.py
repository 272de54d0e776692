"""Bach: Prelude in C major, BWV 846, bars 1 to 19 and the close (bars 32 to 35), for piano."""

import numpy as np

from ..mixing import room
from ..piano import Piano
from ..piece import Piece
from ..score import Note, Tempo, dynamics, humanised, pitches

# One bar each: the five notes of the figure, played 1 2 3 4 5 3 4 5, twice.
_BARS = """
C4 E4 G4 C5 E5 / C4 D4 A4 D5 F5 / B3 D4 G4 D5 F5 / C4 E4 G4 C5 E5
C4 E4 A4 E5 A5 / C4 D4 F#4 A4 D5 / B3 D4 G4 D5 G5 / B3 C4 E4 G4 C5
A3 C4 E4 G4 C5 / D3 A3 D4 F#4 C5 / G3 B3 D4 G4 B4 / G3 Bb3 E4 G4 C#5
F3 A3 D4 A4 D5 / F3 Ab3 D4 F4 B4 / E3 G3 C4 G4 C5 / E3 F3 A3 C4 F4
D3 F3 A3 C4 F4 / G2 D3 G3 B3 F4 / C3 E3 G3 C4 E4 / C2 C3 G3 Bb3 E4
"""
_FIGURE = [0, 1, 2, 3, 4, 2, 3, 4]
_CLOSE = [
    "C2 C3 F3 A3 C4 F4 C4 A3 C4 A3 F3 A3 F3 D3 F3 D3",
    "C2 B2 G4 B4 D5 F5 D5 B4 D5 B4 G4 B4 D4 F4 E4 D4",
]
_CLOSE_AT = 80.0
_FINAL = "C2 C3 E4 G4 C5"

_TEMPO = Tempo([
    (0, 62), (3, 73), (14, 74), (16, 70), (18, 75), (30, 76), (43.5, 71), (45, 74), (56, 75),
    (66, 70), (71, 64), (75.5, 56), (77, 68), (82, 68), (86, 60), (88, 50), (91.5, 34), (92, 40),
])
_LOUDNESS = dynamics([
    (0, 0.34), (8, 0.42), (14, 0.38), (18, 0.52), (24, 0.56), (30, 0.46), (38, 0.50), (43, 0.38),
    (45, 0.48), (50, 0.44), (54, 0.52), (60, 0.42), (68, 0.40), (73, 0.34), (76, 0.36), (80, 0.40),
    (83.5, 0.42), (85, 0.36), (87.5, 0.27), (88, 0.40), (91, 0.27), (92, 0.34),
])
# How much the fingers lean on each sixteenth of the half bar.
_STRESS = [1.12, 0.88, 0.92, 0.98, 1.10, 0.86, 0.92, 1.00]


def sixteenths():
    """Every sixteenth as `(beat, midi, stress)`, then the final chord's first beat."""
    bars = [pitches(bar) for bar in _BARS.replace("\n", "/").split("/") if bar.strip()]
    events = []
    for number, bar in enumerate(bars):
        for half in range(2):
            for step, voice in enumerate(_FIGURE):
                softer = 1.0 if half == 0 else 0.93
                events.append((4 * number + 2 * half + step / 4, bar[voice], _STRESS[step] * softer))
    for number, bar in enumerate(_CLOSE, start=len(bars)):
        for step, midi in enumerate(pitches(bar)):
            events.append((4 * number + step / 4, midi, 0.82 if step < 2 else 0.95))
    return events, 4.0 * (len(bars) + len(_CLOSE))


def _notes(rng):
    shift = humanised(rng, seconds=0.005, velocity=0.018)
    events, final_beat = sixteenths()
    notes = []
    for beat, midi, stress in events:
        start, velocity = shift(_TEMPO.seconds(beat), _LOUDNESS(beat) * stress)
        # The pedal is changed with the harmony, just after the bar line; in the close, where the
        # figure sinks into the bass, every half bar, while the first two notes stay held.
        span = 2.0 if beat >= _CLOSE_AT and beat % 4.0 >= 0.5 else 4.0
        lifted = _TEMPO.seconds(span * np.floor(beat / span) + span) + 0.07
        notes.append(Note(start + 0.1, lifted - start, midi, velocity))
    chord_at = _TEMPO.seconds(final_beat) + 0.1
    for number, midi in enumerate(pitches(_FINAL)):
        start, velocity = shift(chord_at + 0.045 * number, 0.36)
        notes.append(Note(start, 5.6, midi, velocity))
    return notes, chord_at + 8.0


def _render(sample_rate_hz):
    notes, seconds = _notes(np.random.default_rng(846))
    sound = Piano(sample_rate_hz, seed=1722).play(notes, seconds)
    return room(sound, sample_rate_hz, seed=3, decay_seconds=1.7, wet_db=-13.0, darkness=0.55)


PIECE = Piece(
    name="prelude", extension="mp3", title="Prelude in C major, BWV 846 (abridged)",
    composer="Johann Sebastian Bach", instrument="piano", render=_render, target_lufs=-18.0,
)

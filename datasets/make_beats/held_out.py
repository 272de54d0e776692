"""Pieces to measure by: written scores, varied, and played by the instruments of `make_songs`."""

from dataclasses import replace
from zlib import crc32

import numpy as np
from make_songs.bowed import CELLO_TOUCH, VIOLIN_TOUCH, StringSection, cello_body, violin_body
from make_songs.drums import DrumKit
from make_songs.electric_piano import ElectricPiano
from make_songs.flute import Flute
from make_songs.mixing import room
from make_songs.piano import Piano
from make_songs.plucked import BASS, GUITAR, HARP, HARPSICHORD, PluckedStrings, guitar_body
from make_songs.score import Note
from make_songs.synth_lead import SynthLead
from scipy.signal import resample_poly

from .effects import at_level, faded, with_noise
from .held_out_beatless import SOUNDS
from .last_scores import SCORES as LAST_SCORES
from .score import Part, Timing, played, truth
from .written_scores import SCORES

RATE_HZ = 22050
SECONDS = 26.0
_PLAYED_AT_HZ = 44100
# What each variation changes: pace, instruments, drums kept, timing, and the sound's way.
_VARIATIONS = {
    "plain": {},
    "quick": {"pace": 1.22, "melody": "violin", "chords": "harpsichord"},
    "slow": {"pace": 0.84, "melody": "flute", "chords": "guitar"},
    "free": {"rubato": 0.09, "drift": 0.03, "melody": "violin", "chords": "piano", "drums": False},
    "far": {
        "melody": "lead",
        "chords": "electric piano",
        "fade_in": 8.0,
        "noise_below_db": 14.0,
        "wet_db": -5.0,
        "drift": 0.02,
    },
    "sparse": {
        "pace": 1.08,
        "melody": None,
        "chords": "harp",
        "drums": False,
        "jitter": 0.012,
        "enter": 9.0,
    },
}
NAMES = [f"{score}-{variation}" for score in SCORES for variation in _VARIATIONS] + list(SOUNDS)
# Measured once, when all was decided.
LAST_NAMES = [f"{score}-{variation}" for score in LAST_SCORES for variation in _VARIATIONS]


def _single_line(notes):
    """Notes that do not overlap, for those who play one at a time."""
    line = []
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        if following is None or following.start > note.start + 0.02:
            until = np.inf if following is None else following.start - note.start
            line.append(replace(note, duration=min(note.duration, until)))
    return line


def _sound(instrument, notes, seconds, seed):
    """Mono."""
    rate = _PLAYED_AT_HZ
    if instrument == "violin":
        section = StringSection(
            rate, seed, violin_body, VIOLIN_TOUCH, players=2, pan=0, width=0.2, top_hz=7500
        )
        return section.play(_single_line(notes), seconds).mean(axis=0)
    if instrument == "cello":
        section = StringSection(
            rate, seed, cello_body, CELLO_TOUCH, players=1, pan=0, width=0, top_hz=4500
        )
        return section.play(_single_line(notes), seconds).mean(axis=0)
    if instrument == "flute":
        return Flute(rate, seed).play(_single_line(notes), seconds)
    if instrument == "lead":
        return SynthLead(rate, seed).play(_single_line(notes), seconds, 0.4).mean(axis=0)
    player = {
        "piano": lambda: Piano(rate, seed),
        "electric piano": lambda: ElectricPiano(rate),
        "guitar": lambda: PluckedStrings(GUITAR, rate, seed, guitar_body(rate, seed)),
        "harp": lambda: PluckedStrings(HARP, rate, seed),
        "harpsichord": lambda: PluckedStrings(HARPSICHORD, rate, seed),
        "bass": lambda: PluckedStrings(BASS, rate, seed),
    }[instrument]()
    return player.play(notes, seconds).mean(axis=0)


def _varied(
    score,
    rng,
    pace=1.0,
    melody="piano",
    chords="piano",
    drums=True,
    rubato=0.0,
    drift=0.008,
    jitter=0.005,
    fade_in=0.0,
    noise_below_db=None,
    wet_db=-13.0,
    enter=0.0,
):
    score = {**SCORES, **LAST_SCORES}[score](pace)
    if not drums:
        score.parts = [part for part in score.parts if part.role != "drums"]
    if melody is None:
        score.parts = [part for part in score.parts if part.role != "melody"]
    if enter:
        # All but the first part enter only after some seconds.
        beats = (
            np.ceil(enter * score.beats_per_minute / 60.0 / score.beats_in_bar) * score.beats_in_bar
        )
        score.parts = [score.parts[0]] + [
            Part(part.role, [note for note in part.notes if note[0] >= beats - 1e-6] or part.notes)
            for part in score.parts[1:]
        ]
    timing = Timing(score, rng, drift=drift, rubato=rubato, slowing=0.25)
    beats = truth(score, timing)
    lead = 0.4 - min(
        0.0, beats[0][0], *(timing.seconds(n[0]) for p in score.parts for n in p.notes[:3])
    )
    seconds = min(SECONDS, beats[-1][0] + lead + 3.0)
    instruments = {
        "melody": melody,
        "chords": chords,
        "bass": "cello" if chords == "harpsichord" else "bass",
    }
    mix = 0.0
    for number, part in enumerate(score.parts):
        notes = played(part, timing, rng, jitter)
        if part.role == "drums":
            strokes = [
                (max(0.0, at + lead), name, v) for at, name, v in notes if at + lead < seconds - 0.1
            ]
            sound, level = DrumKit(_PLAYED_AT_HZ, 60).play(strokes, seconds).mean(axis=0), 1.3
        else:
            notes = [
                Note(max(0.0, n.start + lead), n.duration, n.pitch, n.velocity)
                for n in notes
                if n.start + lead < seconds - 0.1
            ]
            sound, level = _sound(instruments[part.role], notes, seconds, 70 + number), 1.0
        mix = mix + level * sound / (sound.std() + 1e-9)
    wet = room(np.stack([mix, mix]), _PLAYED_AT_HZ, 5, 1.4, wet_db).mean(axis=0)
    sound = resample_poly(wet, RATE_HZ, _PLAYED_AT_HZ)
    sound = faded(sound, RATE_HZ, fade_in, 0.0)
    if noise_below_db is not None:
        sound = with_noise(sound, rng, noise_below_db)
    return at_level(sound, -3.0), [(at + lead, place) for at, place in beats if at + lead < seconds]


def piece(name):
    """`(samples, truth)` of a piece by its name."""
    rng = np.random.default_rng(crc32(name.encode()))
    if name in SOUNDS:
        sound = SOUNDS[name](rng, _PLAYED_AT_HZ, SECONDS)
        return at_level(resample_poly(sound, RATE_HZ, _PLAYED_AT_HZ), -3.0), []
    score, variation = name.rsplit("-", 1)
    return _varied(score, rng, **_VARIATIONS[variation])

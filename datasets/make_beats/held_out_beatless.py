"""Sounds without a beat to measure by, none of them made as those of training are."""

import numpy as np
from make_songs.bowed import CELLO_TOUCH, VIOLIN_TOUCH, StringSection, cello_body, violin_body
from make_songs.flute import Flute
from make_songs.mixing import band_pass, low_pass
from make_songs.modes import ring
from make_songs.pad import Pad
from make_songs.piano import Piano
from make_songs.plucked import GUITAR, HARP, PluckedStrings
from make_songs.score import Note
from scipy.signal import lfilter

_SCALE = [0, 2, 4, 7, 9, 12, 14, 16, 19]


def _glass_pad(rng, rate, seconds):
    voices = []
    for low in (43, 50, 57, 64):
        at, notes = 0.0, []
        while at < seconds:
            long = rng.uniform(3.0, 9.0)
            notes.append(Note(at, long, low + int(rng.choice([0, 2, 3, 5, 7])), 0.6))
            at += long
        voices.append(notes)
    return Pad(rate, 91).play(voices, seconds).mean(axis=0)


def _free_line(rng, seconds, low):
    at, notes, step = 0.3, [], 4
    while at < seconds - 0.5:
        long = float(np.clip(rng.gamma(1.6, 0.55), 0.1, 4.0))
        step = int(np.clip(step + rng.integers(-3, 4), 0, 8))
        notes.append(Note(at, long, low + _SCALE[step], rng.uniform(0.4, 0.8)))
        at += long + (rng.uniform(0.3, 1.5) if rng.random() < 0.25 else 0.0)
    return notes


def _flute(rng, rate, seconds):
    return Flute(rate, 92).play(_free_line(rng, seconds, 69), seconds)


def _cello(rng, rate, seconds):
    section = StringSection(
        rate, 93, cello_body, CELLO_TOUCH, players=1, pan=0.0, width=0.0, top_hz=4500
    )
    return section.play(_free_line(rng, seconds, 43), seconds).mean(axis=0)


def _violins_swelling(rng, rate, seconds):
    mix = 0.0
    for number, midi in enumerate((55, 62, 67, 71)):
        at, notes = rng.uniform(0, 2), []
        while at < seconds - 2:
            long = rng.uniform(2.0, 6.0)
            notes.append(Note(at, long, midi + int(rng.choice([0, 2, -1])), rng.uniform(0.3, 0.7)))
            at += long + rng.uniform(0.0, 1.0)
        section = StringSection(
            rate, 94 + number, violin_body, VIOLIN_TOUCH, players=1, pan=0.0, width=0.0, top_hz=7000
        )
        mix = mix + section.play(notes, seconds).mean(axis=0)
    return mix


def _harp_rolls(rng, rate, seconds):
    at, notes = 0.4, []
    while at < seconds - 3:
        pace = rng.uniform(0.09, 0.35)
        for number in range(int(rng.integers(2, 7))):
            pace *= rng.uniform(0.8, 1.35)
            notes.append(Note(at, 3.0, 50 + _SCALE[number], rng.uniform(0.4, 0.7)))
            at += pace
        at += rng.uniform(0.6, 3.2)
    return PluckedStrings(HARP, rate, 95).play(notes, seconds).mean(axis=0)


def _free_piano(rng, rate, seconds):
    at, notes = 0.3, []
    while at < seconds - 2:
        for midi in rng.choice(np.arange(40, 80), int(rng.integers(1, 5)), replace=False):
            notes.append(
                Note(
                    at + rng.uniform(0, 0.05),
                    rng.uniform(0.5, 3.0),
                    int(midi),
                    rng.uniform(0.25, 0.7),
                )
            )
        at += float(np.clip(rng.gamma(1.3, 0.9), 0.12, 5.0))
    return Piano(rate, 96).play(notes, seconds).mean(axis=0)


def _free_guitar(rng, rate, seconds):
    notes = _free_line(rng, seconds, 52) + _free_line(rng, seconds, 40)
    return PluckedStrings(GUITAR, rate, 97).play(notes, seconds).mean(axis=0)


def _rain(rng, rate, seconds):
    length = int(seconds * rate)
    out = 0.05 * band_pass(rng.normal(size=length), 1500, 9000, rate)
    for at in rng.uniform(0, seconds - 0.1, int(seconds * 25)):
        hz = np.exp(rng.uniform(np.log(700), np.log(5000)))
        drop = ring([hz, hz * 1.7], [90.0, 140.0], [1.0, 0.4], 0.06, rate)
        start = int(at * rate)
        out[start : start + len(drop)] += rng.gamma(0.6, 0.15) * drop
    return out


def _waves(rng, rate, seconds):
    length = int(seconds * rate)
    time = np.arange(length) / rate
    level = np.zeros(length)
    at = -2.0
    while at < seconds:
        rise, fall = rng.uniform(1.5, 3.0), rng.uniform(2.0, 4.0)
        since = time - at
        level += (
            np.clip(since / rise, 0, 1) ** 2
            * np.exp(-np.maximum(since - rise, 0) / fall)
            * (since > 0)
        )
        at += rng.uniform(4.0, 9.0)
    return level * low_pass(rng.normal(size=length), 1800, rate) + 0.02 * rng.normal(size=length)


def _vowels(rng, rate, seconds):
    """A voice: pulses of the glottis through three resonators, phrases between breaths."""
    length = int(seconds * rate)
    out, at = np.zeros(length), 0.3
    vowels = [
        (730, 1090, 2440),
        (270, 2290, 3010),
        (300, 870, 2240),
        (530, 1840, 2480),
        (570, 840, 2410),
    ]
    while at < seconds - 3:
        pitch = rng.uniform(95, 150)
        for _ in range(int(rng.integers(3, 14))):
            size = int(float(np.clip(rng.lognormal(-1.75, 0.4), 0.06, 0.5)) * rate)
            hz = pitch * (1 + 0.1 * np.sin(np.linspace(0, rng.uniform(0.5, 3), size)))
            pulses = np.diff(np.floor(np.cumsum(hz) / rate), prepend=0.0)
            sound = pulses + 0.01 * rng.normal(size=size)
            for resonance in vowels[rng.integers(5)]:
                radius = np.exp(-np.pi * 90 / rate)
                angle = 2 * np.pi * resonance * rng.uniform(0.9, 1.1) / rate
                sound = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], sound)
            sound *= np.hanning(size) ** 0.5 / (np.std(sound) + 1e-12)
            start = int(at * rate)
            out[start : start + size] += rng.uniform(0.5, 1) * sound[: length - start]
            at += size / rate + rng.uniform(0.0, 0.05)
            pitch *= rng.uniform(0.93, 1.05)
        at += rng.uniform(0.3, 1.3)
    return out


def _birds(rng, rate, seconds):
    out = 0.003 * rng.normal(size=int(seconds * rate))
    for _ in range(int(seconds * 1.3)):
        at = rng.uniform(0, seconds - 1)
        base = rng.uniform(2200, 5500)
        for _ in range(int(rng.integers(1, 5))):
            size = int(rng.uniform(0.04, 0.2) * rate)
            sweep = base * (1 + rng.uniform(-0.3, 0.3) * np.linspace(0, 1, size))
            start = int(at * rate)
            chirp = np.sin(2 * np.pi * np.cumsum(sweep) / rate) * np.hanning(size)
            out[start : start + size] += rng.uniform(0.2, 1.0) * chirp[: len(out) - start]
            at = min(at + size / rate + rng.uniform(0.03, 0.25), seconds - 0.3)
    return out


def _crackle(rng, rate, seconds):
    """The run-out of an old record: rumble, hiss and clicks."""
    length = int(seconds * rate)
    out = 0.2 * low_pass(rng.normal(size=length), 90, rate) + 0.02 * rng.normal(size=length)
    for at in rng.uniform(0, length - 200, int(seconds * 7)).astype(int):
        out[at : at + 60] += rng.normal() * np.exp(-np.arange(60) / 9.0)
    return out


SOUNDS = {
    "glass-pad": _glass_pad,
    "free-flute": _flute,
    "free-cello": _cello,
    "swelling-violins": _violins_swelling,
    "harp-rolls": _harp_rolls,
    "free-piano": _free_piano,
    "free-guitar": _free_guitar,
    "rain": _rain,
    "waves": _waves,
    "vowels": _vowels,
    "birds": _birds,
    "crackle": _crackle,
}

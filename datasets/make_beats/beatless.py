"""Sounds without a beat for training: each function draws one of its kind."""

import numpy as np
from make_songs.mixing import band_pass
from make_songs.score import Note
from scipy.ndimage import gaussian_filter1d

from .cheap_instruments import RandomDrums, RandomInstrument


def _smooth(rng, length, sample_rate_hz, hz):
    """A slow random curve from 0 to 1, changing about `hz` times a second."""
    coarse = gaussian_filter1d(
        rng.normal(size=int(length / sample_rate_hz * 40) + 8), 40.0 / (6.0 * hz)
    )
    curve = np.interp(np.linspace(0, len(coarse) - 1, length), np.arange(len(coarse)), coarse)
    return np.clip(0.5 + 0.4 * (curve - curve.mean()) / (curve.std() + 1e-9), 0.0, 1.0)


def drone(rng, rate, seconds):
    """Held chords that swell and change at no fixed time."""
    length = int(seconds * rate)
    out, chord = np.zeros(length), rng.integers(36, 70, 4)
    time = np.arange(length) / rate
    for _ in range(int(rng.integers(3, 9))):
        midi = float(rng.choice(chord)) + rng.normal(0, 0.05)
        for n in range(1, int(rng.integers(2, 9))):
            hz = 440.0 * 2 ** ((midi - 69) / 12) * n
            level = _smooth(rng, length, rate, rng.uniform(0.05, 0.5)) / n ** rng.uniform(0.7, 2)
            out += level * np.sin(2 * np.pi * hz * time + rng.uniform(0, 6))
    return out


def moving_noise(rng, rate, seconds):
    """Wind and surf: bands of noise that come and go."""
    length = int(seconds * rate)
    out = np.zeros(length)
    for _ in range(int(rng.integers(1, 5))):
        low = np.exp(rng.uniform(np.log(60), np.log(5000)))
        band = band_pass(rng.normal(size=length), low, min(low * rng.uniform(1.3, 6), 10500), rate)
        out += band / band.std() * _smooth(rng, length, rate, rng.uniform(0.05, 2.0)) ** 2
    return out


def _free_notes(rng, seconds, mean, spread, low, high):
    at, notes, midi = rng.uniform(0, mean), [], int(rng.integers(low, high))
    while at < seconds - 0.2:
        wait = float(np.clip(mean * np.exp(rng.normal(0.0, spread)), 0.08, 6.0))
        midi = int(np.clip(midi + rng.integers(-5, 6), low, high))
        notes.append(Note(at, wait * rng.uniform(0.5, 1.2), midi, rng.uniform(0.3, 0.9)))
        at += wait
    return notes


def free_melody(rng, rate, seconds):
    """Notes whose lengths follow no measure, alone or over a drone."""
    notes = _free_notes(rng, seconds, rng.uniform(0.25, 1.6), rng.uniform(0.6, 1.0), 52, 84)
    out = RandomInstrument(rng, rate, "melody").play(notes, int(seconds * rate))
    if rng.random() < 0.5:
        background = drone(rng, rate, seconds)
        out = out + rng.uniform(0.1, 1.0) * out.std() * background / background.std()
    return out


def scattered(rng, rate, seconds):
    """Many notes at random times, alone or in clouds: chimes, drops."""
    out = np.zeros(int(seconds * rate))
    for _ in range(int(rng.integers(1, 4))):
        count = int(seconds * np.exp(rng.uniform(np.log(0.5), np.log(9.0))))
        notes = [
            Note(at, rng.uniform(0.05, 1.5), int(rng.integers(50, 96)), rng.uniform(0.2, 0.9))
            for at in rng.uniform(0, seconds - 0.3, count)
        ]
        out += RandomInstrument(rng, rate, "arpeggio").play(notes, len(out))
    return out


def scattered_drums(rng, rate, seconds):
    """Strokes at random times: things that fall and knock."""
    names = ["kick", "snare", "hat", "tom", "wood", "crash", "shaker"]
    count = int(seconds * rng.uniform(0.6, 6.0))
    strokes = [
        (at, str(rng.choice(names)), rng.uniform(0.2, 0.9)) for at in rng.uniform(0, seconds, count)
    ]
    return RandomDrums(rng, rate).play(strokes, int(seconds * rate))


def babble(rng, rate, seconds):
    """Syllables of uneven length: a buzz through two moving resonances, with hisses and pauses."""
    out = np.zeros(int(seconds * rate))
    at = 0.0
    base = rng.uniform(85, 230)
    while at < seconds - 0.5:
        size = int(rng.uniform(0.06, 0.32) * rate)
        time = np.arange(size) / rate
        hz = base * np.exp(rng.normal(0, 0.15)) * (1 + rng.normal(0, 0.3) * time)
        buzz = np.sin(2 * np.pi * np.cumsum(hz) / rate)
        buzz = np.sign(buzz) * np.abs(buzz) ** 0.3
        sound = sum(
            band_pass(buzz, f * 0.85, f * 1.15, rate, order=1)
            for f in (rng.uniform(280, 800), rng.uniform(900, 2400))
        )
        if rng.random() < 0.4:
            sound = sound + 0.5 * band_pass(rng.normal(size=size), 3000, 9000, rate) * (time < 0.06)
        shape = np.sin(np.pi * np.linspace(0, 1, size)) ** rng.uniform(0.4, 1.2)
        start = int(at * rate)
        out[start : start + size] += rng.uniform(0.4, 1.0) * (sound * shape)[: len(out) - start]
        at += size / rate + (
            rng.uniform(0.25, 1.0) if rng.random() < 0.13 else rng.uniform(0.0, 0.08)
        )
    return out


def hush(rng, rate, seconds):
    """Nearly nothing: a hum, hiss, or a few distant knocks."""
    time = np.arange(int(seconds * rate)) / rate
    hum = np.sin(2 * np.pi * rng.uniform(45, 130) * time) * rng.uniform(0, 1)
    return hum + rng.uniform(0.05, 1.0) * rng.normal(size=len(time))


KINDS = [
    drone,
    drone,
    moving_noise,
    free_melody,
    free_melody,
    free_melody,
    scattered,
    scattered,
    scattered_drums,
    babble,
    babble,
    hush,
]

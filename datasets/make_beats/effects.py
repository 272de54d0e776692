"""What happens to sound on its way: rooms, colour, noise, fades, loudness."""

import numpy as np
from make_songs.mixing import band_pass, decibels
from scipy.signal import butter, fftconvolve, sosfilt


def room(sound, sample_rate_hz, rng, decay_seconds, wet_db):
    """Noise that dies away, quickly computed."""
    length = int(decay_seconds * 1.2 * sample_rate_hz)
    time = np.arange(length) / sample_rate_hz
    impulse = rng.normal(size=length) * np.exp(-6.9 * time / decay_seconds)
    impulse = sosfilt(
        butter(1, rng.uniform(1500, 7000), "low", fs=sample_rate_hz, output="sos"), impulse
    )
    impulse /= np.sqrt(np.sum(impulse**2))
    return sound + decibels(wet_db) * fftconvolve(sound, impulse)[: len(sound)]


def coloured(sound, sample_rate_hz, rng):
    """Tilted towards bass or treble, or cut at the top or the bottom."""
    kind = rng.choice(["low", "high", "band"])
    if kind == "low":
        filtered = sosfilt(
            butter(1, rng.uniform(400, 4000), "low", fs=sample_rate_hz, output="sos"), sound
        )
    elif kind == "high":
        filtered = sosfilt(
            butter(1, rng.uniform(80, 900), "high", fs=sample_rate_hz, output="sos"), sound
        )
    else:
        centre = np.exp(rng.uniform(np.log(200), np.log(4000)))
        filtered = band_pass(sound, centre / 1.6, centre * 1.6, sample_rate_hz, order=1)
    share = rng.uniform(0.3, 0.95)
    return share * filtered + (1 - share) * sound


def squashed(sound, rng):
    """Driven into a soft limit, as loud records are."""
    drive = rng.uniform(1.0, 5.0) / (np.std(sound) * 4.0 + 1e-9)
    return np.tanh(drive * sound)


def faded(sound, sample_rate_hz, in_seconds, out_seconds):
    sound = sound.copy()
    for seconds, part in ((in_seconds, slice(None)), (out_seconds, slice(None, None, -1))):
        size = min(int(seconds * sample_rate_hz), len(sound))
        if size:
            sound[part][:size] *= np.linspace(0.0, 1.0, size) ** 2
    return sound


def with_noise(sound, rng, below_db):
    noise = (
        np.cumsum(rng.normal(size=len(sound)))
        if rng.random() < 0.3
        else rng.normal(size=len(sound))
    )
    noise = noise - np.mean(noise)
    return sound + decibels(-below_db) * np.std(sound) / (np.std(noise) + 1e-12) * noise


def at_level(sound, peak_db):
    return sound * decibels(peak_db) / (np.max(np.abs(sound)) + 1e-9)


def sent(sound, sample_rate_hz, rng):
    """The sound after a random choice of all of these."""
    if rng.random() < 0.7:
        sound = room(sound, sample_rate_hz, rng, rng.uniform(0.2, 2.8), rng.uniform(-22.0, -4.0))
    if rng.random() < 0.5:
        sound = coloured(sound, sample_rate_hz, rng)
    if rng.random() < 0.35:
        sound = squashed(sound, rng)
    fade_in = rng.choice([0.0, rng.uniform(1.0, 8.0)], p=[0.85, 0.15])
    fade_out = rng.choice([0.0, rng.uniform(1.0, 8.0)], p=[0.85, 0.15])
    sound = faded(sound, sample_rate_hz, fade_in, fade_out)
    if rng.random() < 0.4:
        sound = with_noise(sound, rng, rng.uniform(8.0, 50.0))
    return at_level(sound, rng.uniform(-20.0, -0.5))

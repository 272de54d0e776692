"""Sums of decaying sines: what strings, bars and wooden bodies do when struck or plucked."""

import numpy as np
from scipy.signal import fftconvolve

_BLOCK = 512


def ring(frequencies_hz, decays_per_second, amplitudes, seconds, sample_rate_hz, phases=0.0):
    """`sum_k amplitude_k * exp(-decay_k t) * sin(2 pi f_k t + phase_k)`, `seconds` long.

    A mode at time `block + offset` is the product of its values at `block` and
    at `offset`, so the whole sum is one matrix product per real and imaginary part.
    """
    length = int(seconds * sample_rate_hz)
    frequencies_hz = np.asarray(frequencies_hz, dtype=float)
    audible = frequencies_hz < 0.46 * sample_rate_hz
    pole = (-np.asarray(decays_per_second) + 2j * np.pi * frequencies_hz) / sample_rate_hz
    weight = np.where(audible, amplitudes, 0.0) * np.exp(1j * (np.asarray(phases) - np.pi / 2))
    blocks = np.arange(-(-length // _BLOCK)) * _BLOCK
    coarse = weight * np.exp(np.outer(blocks, pole))
    fine = np.exp(np.outer(pole, np.arange(_BLOCK)))
    sound = coarse.real @ fine.real - coarse.imag @ fine.imag
    return sound.ravel()[:length]


def body_impulse(rng, sample_rate_hz, main_modes, spread_hz, count, seconds=0.25, direct=0.5):
    """Impulse response of a sounding board.

    `main_modes` lists `(hz, gain, ring_seconds)`; `count` weaker random modes lie
    between the two frequencies of `spread_hz`. `direct` is the share that passes unchanged.
    """
    low, high = spread_hz
    random_hz = np.exp(rng.uniform(np.log(low), np.log(high), count))
    random_gain = 0.30 * rng.uniform(0.3, 1.0, count) * (low / random_hz) ** 0.15
    random_ring = 0.09 * (low / random_hz) ** 0.55
    hz = np.concatenate([[mode[0] for mode in main_modes], random_hz])
    gain = np.concatenate([[mode[1] for mode in main_modes], random_gain])
    ring_seconds = np.concatenate([[mode[2] for mode in main_modes], random_ring])
    signs = np.concatenate([np.ones(len(main_modes)), rng.choice([-1.0, 1.0], count)])
    decays = 6.9 / ring_seconds
    # A mode's gain at its peak is amplitude / (2 * decay): scale so that `gain` is that peak.
    amplitudes = signs * gain * 2.0 * decays / sample_rate_hz
    impulse = ring(hz, decays, amplitudes, seconds, sample_rate_hz)
    impulse[0] += direct
    return impulse


def through(sound, impulse):
    """`sound` played through `impulse`, same length."""
    return fftconvolve(sound, impulse)[: len(sound)]

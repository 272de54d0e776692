"""Training pieces: random scores by random instruments, and sounds without a beat."""

import numpy as np

from . import beatless
from .cheap_instruments import HeldInstrument, PluckedInstrument, RandomDrums, RandomInstrument
from .effects import sent
from .patterned_score import patterned_score
from .plain_score import plain_score
from .random_score import random_score
from .score import Timing, played, truth
from .wider_score import wider_score

RATE_HZ = 22050
_WITHOUT_BEAT = 0.16


# How scores are drawn: any rhythm, the usual manners, those that are easily miscounted, or a note a beat.
SCORES = {
    "random": random_score,
    "patterned": patterned_score,
    "wider": wider_score,
    "plain": plain_score,
}


def _players(rng, scores):
    """The instrument of each next part: of any kind, or all of one that is held or plucked."""
    if scores != "wider":
        return lambda role: RandomInstrument(rng, RATE_HZ, role)
    kinds = [HeldInstrument, PluckedInstrument, RandomInstrument]
    band = rng.choice(["held", "plucked", "one", "mixed"], p=[0.3, 0.15, 0.2, 0.35])
    if band == "one":
        same = kinds[rng.choice(3, p=[0.25, 0.3, 0.45])](rng, RATE_HZ, "chords")
        return lambda role: same
    if band == "mixed":
        return lambda role: kinds[rng.choice(3, p=[0.35, 0.25, 0.4])](rng, RATE_HZ, role)
    return lambda role: kinds[band == "plucked"](rng, RATE_HZ, role)


def piece(seed, number, seconds, scores="random"):
    """`(samples, truth)` of a piece: `seconds` out of a longer one."""
    rng = np.random.default_rng([seed, number])
    length = int(seconds * RATE_HZ)
    if rng.random() < _WITHOUT_BEAT:
        kind = beatless.KINDS[rng.integers(len(beatless.KINDS))]
        return sent(kind(rng, RATE_HZ, seconds)[:length], RATE_HZ, rng), []
    score = SCORES[scores](rng, seconds + 8.0)
    free = rng.random()
    timing = Timing(
        score,
        rng,
        drift=rng.choice([0.0, rng.uniform(0.005, 0.06)]),
        rubato=rng.uniform(0.02, 0.16) if free < 0.25 else 0.0,
        slowing=rng.uniform(0.1, 0.5) if free < 0.15 else 0.0,
        phrase_bars=int(rng.choice([2, 4, 4, 8])),
    )
    # Where in the piece the excerpt begins: often at its very beginning.
    lead = rng.uniform(0.05, 2.0) if rng.random() < 0.5 else -rng.uniform(0.0, 8.0)
    out = np.zeros(length)
    jitter = rng.choice([0.0, rng.uniform(0.002, 0.018)], p=[0.25, 0.75])
    player = _players(rng, scores)
    for part in score.parts:
        notes = played(part, timing, rng, jitter * rng.uniform(0.5, 1.2), rng.normal(0.0, 0.006))
        if part.role == "drums":
            strokes = [(at + lead, name, velocity) for at, name, velocity in notes]
            out_part = RandomDrums(rng, RATE_HZ).play(strokes, length)
        else:
            notes = [type(n)(n.start + lead, n.duration, n.pitch, n.velocity) for n in notes]
            out_part = player(part.role).play(notes, length)
        if out_part.std() > 0:
            level = np.exp(rng.normal(0.0, 0.55)) * (1.2 if part.role == "drums" else 1.0)
            out += level * out_part / out_part.std()
    beats = [(at + lead, place) for at, place in truth(score, timing)]
    return sent(out, RATE_HZ, rng), [(at, place) for at, place in beats if 0.0 <= at < seconds]

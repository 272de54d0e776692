"""`python -m make_songs [NAME ...] [--out FOLDER] [--long PATH]`"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from .encoding import encode
from .mastering import mastered, sixteen_bit
from .pieces import PIECES

RATE_HZ = 44100
LICENCE = "CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/"


def tags(title, composer):
    return {"title": title, "artist": "NeuralComposer", "composer": composer,
            "album": "NeuralComposer training songs", "copyright": LICENCE, "comment": LICENCE}


def finished(piece, mono=False):
    """The mastered sound of a piece at `RATE_HZ`, (channels x n)."""
    sound = piece.render(RATE_HZ)
    if mono:
        sound = sound.mean(axis=0, keepdims=True)
    return mastered(sound, RATE_HZ, piece.target_lufs)


def make(piece, folder):
    started = time.monotonic()
    sound = finished(piece, piece.mono)
    if piece.file_sample_rate_hz != RATE_HZ:
        sound = resample_poly(sound, piece.file_sample_rate_hz, RATE_HZ, axis=1)
    path = folder / f"{piece.name}.{piece.extension}"
    samples = sixteen_bit(sound, np.random.default_rng(0))
    encode(samples, piece.file_sample_rate_hz, path, tags(piece.title, piece.composer))
    print(f"{path}: {samples.shape[1] / piece.file_sample_rate_hz:.1f} s, "
          f"{path.stat().st_size / 1e6:.2f} MB, made in {time.monotonic() - started:.0f} s")


def make_long(path, seconds=180.0):
    """All pieces one after the other, cut to `seconds`: a long stereo input for tests."""
    gap = np.zeros((2, RATE_HZ))
    parts = [part for piece in PIECES for part in (finished(piece), gap)]
    sound = np.concatenate(parts, axis=1)
    length = int(seconds * RATE_HZ)
    sound = np.tile(sound, -(-length // sound.shape[1]))[:, :length]
    sound[:, -RATE_HZ:] *= np.linspace(1.0, 0.0, RATE_HZ)
    samples = sixteen_bit(sound, np.random.default_rng(0))
    encode(samples, RATE_HZ, path, tags("Medley of the training songs", "various"))
    print(f"{path}: {seconds:.0f} s, {Path(path).stat().st_size / 1e6:.2f} MB")


def main():
    parser = argparse.ArgumentParser(prog="make_songs", description="Writes the training songs.")
    parser.add_argument("names", nargs="*", help="pieces to make (all when none is named): "
                        + ", ".join(piece.name for piece in PIECES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "songs",
                        help="folder for the songs (default: datasets/songs)")
    parser.add_argument("--long", type=Path, metavar="PATH",
                        help="write only a three-minute stereo medley (e.g. long.mp3) there")
    options = parser.parse_args()
    if options.long:
        make_long(options.long)
        return
    unknown = set(options.names) - {piece.name for piece in PIECES}
    if unknown:
        parser.error(f"no such piece: {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    for piece in PIECES:
        if not options.names or piece.name in options.names:
            make(piece, options.out)


if __name__ == "__main__":
    main()

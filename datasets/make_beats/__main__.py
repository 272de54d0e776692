"""`python -m make_beats training|held-out FOLDER`"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from . import files, held_out, training


def _training(job):
    folder, seed, number, seconds, scores = job
    samples, beats = training.piece(seed, number, seconds, scores)
    files.write(folder, f"{scores}-{number:04}", samples, beats, training.RATE_HZ)


def _held_out(job):
    folder, name = job
    samples, beats = held_out.piece(name)
    files.write(folder, name, samples, beats, held_out.RATE_HZ)
    return name


def main():
    parser = argparse.ArgumentParser(prog="make_beats", description=__doc__)
    parser.add_argument("which", choices=["training", "held-out"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="held-out pieces to make (all when none is named)")
    parser.add_argument("--count", type=int, default=1500, help="training pieces")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a training piece")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--scores", choices=training.SCORES, default="random", help="of training")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        if options.which == "training":
            jobs = [
                (options.folder, options.seed, i, options.seconds, options.scores)
                for i in range(options.count)
            ]
            for number, _ in enumerate(pool.map(_training, jobs, chunksize=8), 1):
                if number % 50 == 0:
                    print(f"{number} of {options.count}", flush=True)
        else:
            jobs = [(options.folder, name) for name in options.names or held_out.NAMES]
            for name in pool.map(_held_out, jobs):
                print(name, flush=True)


if __name__ == "__main__":
    main()

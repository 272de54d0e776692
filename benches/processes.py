"""How much faster two processes train than one, with one thread each.

    mpirun --version && python3 benches/processes.py target/release/neural-composer SONG

Both train the same global batches of the same network: `neural-composer train` alone with one thread,
and under `mpirun -n 2`, each process bound to a processor of its own, by turns. Compared is the time
that epochs take, as training itself tells it, without decoding the song; and the losses. The program
is to be built with `--features mpi`. On a machine with other work, compare the rounds' best.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

ALONE = {"RAYON_NUM_THREADS": "1", "CANDLE_NUM_THREADS": "1"}


def train(options, layers, folder, processes):
    """Seconds of a training's epochs, and its losses."""
    command = [options.program, "train", options.song, "--model", "blocks", "--json", "--restart"]
    command += ["--settings", "fast", "--layers", layers, "--batch", str(options.batch)]
    command += ["--epochs", str(options.epochs), "--checkpoint-seconds", "100000", *options.more]
    command += ["-o", str(folder / "m.safetensors")]
    environment = {**os.environ, **ALONE}
    if processes > 1:
        command = ["mpirun", "-n", str(processes), "--bind-to", "core", *command]
        if os.geteuid() == 0:
            command.insert(1, "--allow-run-as-root")
    else:
        command = ["taskset", "-c", "0", *command]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    facts = json.loads(done.stdout)
    return facts["training_seconds"], facts["losses"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("song")
    parser.add_argument("--layers", nargs="+", default=["lstm:512,lstm:512", "lstm:1024,lstm:1024"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--more", nargs=argparse.REMAINDER, default=[], help="options of train")
    options = parser.parse_args()
    count = options.processes
    print(f"| layers | one process | {count} | times as fast | efficiency | losses differ by |")
    print("|---|---|---|---|---|---|")
    for layers in options.layers:
        alone, together, far = [], [], 0.0
        with tempfile.TemporaryDirectory() as temporary:
            for _ in range(options.rounds):
                seconds, expected = train(options, layers, Path(temporary), 1)
                alone.append(seconds)
                seconds, losses = train(options, layers, Path(temporary), count)
                together.append(seconds)
                far = max(far, *(abs(a - b) for a, b in zip(expected, losses, strict=True)))
        faster = min(alone) / min(together)
        print(
            f"| {layers} | {min(alone):.2f} s | {min(together):.2f} s | {faster:.2f}"
            f" | {faster / count:.0%} | {far:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

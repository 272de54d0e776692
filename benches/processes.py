"""How much faster two processes train than one, with one thread each.

    mpirun --version && python3 benches/processes.py target/release/neural-composer SONG

Both train the same global batches of the same network: `neural-composer train` alone with one
thread, and under `mpirun -n 2`, each process bound to a processor of its own, by turns. Compared is
the time that epochs take, as training itself tells it, without decoding the song; and the losses.
What the machine takes from two processes that compute at once (memory, other work) is seen in
trainings that run side by side, know nothing of each other, and go through as much as each process
does: a part of the batch, a part of the epochs. The program is to be built with `--features mpi`.
Times are the rounds' medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

ALONE = {"RAYON_NUM_THREADS": "1", "CANDLE_NUM_THREADS": "1"}


def command_of(options, layers, folder, batch, epochs):
    return [
        options.program, "train", options.song, "--model", "blocks", "--json", "--restart",
        "--settings", "fast", "--layers", layers, "--batch", str(batch), "--epochs", str(epochs),
        "--checkpoint-seconds", "100000", *options.more, "-o", str(folder / "m.safetensors"),
    ]  # fmt: skip


def run(commands):
    """Runs them at once; the seconds of the slowest training, and its losses."""
    environment = {**os.environ, **ALONE}
    running = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        for command in commands
    ]
    facts = [json.loads(program.communicate()[0]) for program in running]
    slowest = max(facts, key=lambda facts: facts["training_seconds"])
    return slowest["training_seconds"], slowest["losses"]


def alone(options, layers, folder):
    command = command_of(options, layers, folder, options.batch, options.epochs)
    return run([["taskset", "-c", "0", *command]])


def together(options, layers, folder):
    command = command_of(options, layers, folder, options.batch, options.epochs)
    mpirun = ["mpirun", "-n", str(options.processes), "--bind-to", "core"]
    if os.geteuid() == 0:
        mpirun.append("--allow-run-as-root")
    return run([mpirun + command])


def side_by_side(options, layers, folder):
    commands = []
    for core in range(options.processes):
        own = folder / str(core)
        own.mkdir(exist_ok=True)
        batch, epochs = options.batch // options.processes, options.epochs // options.processes
        commands.append(["taskset", "-c", str(core)])
        commands[-1] += command_of(options, layers, own, batch, epochs)
    return run(commands)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("song")
    parser.add_argument("--layers", nargs="+", default=["lstm:512,lstm:512", "lstm:1024,lstm:1024"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--more", nargs=argparse.REMAINDER, default=[], help="options of train")
    options = parser.parse_args()
    count = options.processes
    print("Load of the machine:", os.getloadavg())
    print(f"| layers | one process | {count} | efficiency | side by side | of that | losses |")
    print("|---|---|---|---|---|---|---|")
    for layers in options.layers:
        times, far = ([], [], []), 0.0
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for _ in range(options.rounds):
                seconds, expected = alone(options, layers, folder)
                times[0].append(seconds)
                seconds, losses = together(options, layers, folder)
                times[1].append(seconds)
                times[2].append(side_by_side(options, layers, folder))
                far = max(far, *(abs(a - b) for a, b in zip(expected, losses, strict=True)))
        one, several, side = (statistics.median(seconds) for seconds in times)
        print(
            f"| {layers} | {one:.2f} s | {several:.2f} s | {one / several / count:.0%}"
            f" | {side:.2f} s | {side / several:.0%} | {far:.0e} apart |",
            flush=True,
        )


if __name__ == "__main__":
    main()

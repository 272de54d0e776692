#!/usr/bin/env python3
"""Kills `sweep` at random moments: the table of an undisturbed one, and nothing done twice.

    python3 tests/campaigns/sweeps.py target/release/neural-composer [--rounds 50] [--seed 1]

Each round begins with an empty folder and starts the same sweep of twelve configurations up to
three times, half of the time twice at once, and sends SIGKILL, SIGINT or SIGTERM at a random moment
of the time that a sweep takes when it is left alone. After each signal the files of finished runs
are compared with what they were, byte by byte and by their times. Then the sweep is left alone,
and its table and the numbers of all models are compared with those of an undisturbed sweep; the
epochs in each run's log are counted. Prints a line for each fault and a table; exits with 1 after
a fault. Python 3, nothing else.
"""

import argparse
import collections
import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from corpora import write_song

SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM]
EPOCHS = 6
PLAN = f"""
songs = "song.wav"
epochs = {EPOCHS}
batch = 4
validation = 0.2
dropout = 0.1

[grid]
cell = ["simple-rnn", "gru", "lstm"]
units = [16, 48]
loss = ["mse", "mae"]
"""
MEASURED = {"seconds", "memory_bytes"}


class Campaign:
    def __init__(self, program, folder, seed):
        self.program, self.folder = program, Path(folder)
        self.chance = random.Random(seed)
        self.ends, self.faults = collections.Counter(), 0
        write_song(self.folder / "song.wav", seed, 30)
        (self.folder / "plan.toml").write_text(PLAN)
        begun = time.monotonic()
        self.finish("whole")
        self.seconds = time.monotonic() - begun
        self.expected = self.outcome(self.folder / "whole")

    def command(self, runs):
        words = ["sweep", "plan.toml", "--device", "cpu", "--checkpoint-seconds", "0", "-o", runs]
        return [self.program, *words]

    def finish(self, runs):
        done = subprocess.run(
            self.command(runs), cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            self.fault(f"left alone, it ended with {done.returncode}: {done.stderr}")

    def fault(self, words):
        self.faults += 1
        print(f"FAULT: {words}", flush=True)

    def outcome(self, runs):
        with (runs / "sweep.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        table = [{k: v for k, v in row.items() if k not in MEASURED} for row in rows]
        return table, {row["signature"]: self.numbers(runs, row) for row in rows}

    def numbers(self, runs, row):
        """The tensors of a model, without what its file says of times."""
        data = (runs / row["model_file"]).read_bytes()
        length = int.from_bytes(data[:8], "little")
        head = json.loads(data[8 : 8 + length])
        head.pop("__metadata__", None)
        places = sorted((name, value["data_offsets"]) for name, value in head.items())
        return {name: data[8 + length + a : 8 + length + b] for name, (a, b) in places}

    def finished(self, runs):
        states = {}
        for result in runs.glob("*/result.json"):
            files = [file for file in result.parent.iterdir() if file.name[0] != "."]
            files = [file for file in files if file.name != "checkpoints"]
            states[result.parent.name] = {
                file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in files
            }
        return states

    def round(self, number):
        name = f"runs-{number}"
        runs = self.folder / name
        done, signals = {}, 0
        for _ in range(self.chance.randint(1, 3)):
            count = self.chance.choice([1, 2])
            pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            programs = [
                subprocess.Popen(self.command(name), cwd=self.folder, **pipes) for _ in range(count)
            ]
            for program in programs:
                time.sleep(self.chance.uniform(0, self.seconds * 0.4))
                chosen = self.chance.choice(SIGNALS)
                if program.poll() is None:
                    program.send_signal(chosen)
                    signals += 1
            for program in programs:
                status = program.wait()
                self.ends[status] += 1
                if status not in (0, 130, 143, -9):
                    self.fault(f"round {number}: it ended with {status}")
            now = self.finished(runs)
            for run, files in done.items():
                if now.get(run) != files:
                    self.fault(f"round {number}: {run} was finished and is changed")
            done = now
        before = len(done)
        self.finish(name)
        now = self.finished(runs)
        for run, files in done.items():
            if now.get(run) != files:
                self.fault(f"round {number}: {run} was done again")
        if self.outcome(runs) != self.expected:
            self.fault(f"round {number}: the table or a model is another")
        for log in runs.glob("*/log.txt"):
            lines = log.read_text().splitlines()
            epochs = sum(line.startswith("epoch ") for line in lines)
            begun = sum(line.startswith("begun") for line in lines)
            # A kill costs what came after the last checkpoint, which is written beside the
            # training, and perhaps the line of an epoch.
            if not EPOCHS - begun < epochs <= EPOCHS * begun:
                self.fault(f"round {number}: {epochs} epochs of {EPOCHS} in {log}")
        if list(runs.glob("*/checkpoints")) or list(runs.glob("**/.neural-composer-*")):
            self.fault(f"round {number}: something is left behind")
        shutil.rmtree(runs)
        return signals, before


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(options.program.resolve(), folder, options.seed)
        print(f"a sweep left alone takes {campaign.seconds:.2f} s")
        signals, halfway = 0, 0
        for number in range(options.rounds):
            sent, before = campaign.round(number)
            signals += sent
            halfway += 0 < before < 12
        print(f"{options.rounds} rounds of seed {options.seed}, {signals} signals,", end=" ")
        print(f"{halfway} rounds with some but not all of 12 runs finished at the last one")
        for status, count in sorted(campaign.ends.items()):
            print(f"  ended with {status:4}: {count}")
        print(f"{campaign.faults} faults")
    sys.exit(campaign.faults > 0)


if __name__ == "__main__":
    main()

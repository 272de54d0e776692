#!/usr/bin/env python3
"""Kills every command at random moments, and looks at what is left.

    python3 tests/campaigns/kills.py target/release/neural-composer [--rounds 100] [--seed 1]

Each round runs one command in a folder of its own and sends SIGINT, SIGTERM, SIGHUP or SIGKILL at a
random moment of the time that the command takes when it is left alone; every other round has an
older output in the way. Then: inputs are as they were; what stands under an output's name is the
old file or a whole new one; temporary files are gone, after SIGKILL with the next run; the exit
status is that of the signal. Prints a line for each fault and a table; exits with 1 after a fault.
Python 3, nothing else.
"""

import argparse
import collections
import hashlib
import json
import math
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

PREFIX = ".neural-composer-"
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# As long as a command may take to end at the first request.
SOON = 1.0
# Before that a program is not yet listening, and the signal ends it as it ends any other.
LISTENS = 0.25

COMMANDS = {
    "decode": ["decode", "long.wav", "--rate", "48000", "-o", "o.wav"],
    "decode to a pipe": ["decode", "-", "--rate", "48000", "-o", "-"],
    "info": ["info", "long.wav"],
    "similarity": ["similarity", "long.wav", "song.wav"],
    "judge": ["judge", "song.wav", "piece.wav", "--picture", "o.png"],
    "compose grains": ["compose", "song.wav", "--steps", "20", "--seconds", "4", "-o", "o.wav"],
    "compose codes": [
        "compose",
        "song.wav",
        "--model",
        "codes",
        "--steps",
        "20",
        "--seconds",
        "4",
        "-o",
        "o.wav",
    ],
    "compose blocks": [
        "compose",
        "song.wav",
        "--model",
        "blocks",
        "--layers",
        "gru:64",
        "--epochs",
        "4",
        "--seconds",
        "4",
        "-o",
        "o.wav",
    ],
    "train grains": [
        "train",
        "song.wav",
        "--model",
        "grains",
        "--steps",
        "20",
        "-o",
        "o.safetensors",
    ],
    "train codes": [
        "train",
        "song.wav",
        "--model",
        "codes",
        "--steps",
        "20",
        "-o",
        "o.safetensors",
    ],
    "train blocks": [
        "train",
        "song.wav",
        "--layers",
        "gru:64",
        "--epochs",
        "4",
        "-o",
        "o.safetensors",
    ],
    "generate grains": ["generate", "grains.safetensors", "--seconds", "10", "-o", "o.wav"],
    "generate codes": ["generate", "codes.safetensors", "--seconds", "10", "-o", "o.wav"],
    "generate blocks": ["generate", "blocks.safetensors", "--seconds", "10", "-o", "o.wav"],
}


def write_song(path, seconds, hz):
    notes = [1.0, 1.26, 1.5, 2.0, 1.78, 1.12]
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        samples = (
            int(
                16000
                * math.sin(math.tau * hz * notes[i // 4000 % len(notes)] * i / 16000)
                * (1 - i % 4000 / 5000)
            )
            for i in range(int(16000 * seconds))
        )
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def prepare(program, folder):
    write_song(os.path.join(folder, "song.wav"), 20, 220)
    write_song(os.path.join(folder, "long.wav"), 240, 330)
    train = {
        "grains": ["--steps", "2"],
        "codes": ["--steps", "2"],
        "blocks": ["--layers", "gru:64", "--epochs", "1"],
    }
    for model, much in train.items():
        name = model + ".safetensors"
        run = [program, "train", "song.wav", "--model", model, *much, "-o", name]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
        os.remove(os.path.join(folder, model + ".loss.svg"))
        shutil.rmtree(os.path.join(folder, model + ".checkpoints"))
    run = [program, "generate", "grains.safetensors", "--seconds", "12", "-o", "piece.wav"]
    subprocess.run(run, cwd=folder, check=True, capture_output=True)


def digests(folder):
    return {
        name: hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest()
        for name in os.listdir(folder)
    }


def is_whole(path):
    data = Path(path).read_bytes()
    if path.endswith(".wav"):
        return data[:4] == b"RIFF" and struct.unpack("<I", data[4:8])[0] + 8 == len(data)
    if path.endswith(".safetensors"):
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        ends = [
            entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
        ]
        return 8 + length + max(ends) == len(data)
    if path.endswith(".png"):
        return data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB`\x82")
    return b"</svg>" in data and data.rstrip().endswith(b"-->")


def start(program, arguments, folder):
    environment = dict(os.environ, TMPDIR=os.path.join(folder, "tmp"))
    with open(os.path.join(folder, "long.wav"), "rb") as given:
        return subprocess.Popen(
            [program, *arguments],
            cwd=folder,
            env=environment,
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def fresh(inputs):
    folder = tempfile.mkdtemp(prefix="kills-")
    for name in os.listdir(inputs):
        shutil.copy(os.path.join(inputs, name), folder)
    os.mkdir(os.path.join(folder, "tmp"))
    return folder


def temporary(folder):
    return [
        name
        for place in (folder, os.path.join(folder, "tmp"))
        for name in os.listdir(place)
        if name.startswith(PREFIX)
    ]


def one_round(program, inputs, known, arguments, sent, moment, old):
    """Faults of one round, how the command ended, and how long that took."""
    folder = fresh(inputs)
    faults = []
    try:
        outputs = [name for name in arguments if name.startswith("o.")]
        if old:
            for name in outputs:
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(b"old")
        running = start(program, arguments, folder)
        time.sleep(moment)
        running.send_signal(sent)
        begun = time.monotonic()
        try:
            status = running.wait(timeout=30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            return ["did not end in 30 s"], "hung", 30.0
        took = time.monotonic() - begun
        if status == 0:
            ended = "done before"
        elif status == STATUS.get(sent):
            ended = "stopped"
        elif status == -sent:
            ended = "killed"
            if sent != signal.SIGKILL and moment > LISTENS:
                faults.append(f"ended by the signal itself at {moment:.2f} s")
        else:
            ended = f"status {status}"
            faults.append(ended)
        if sent != signal.SIGKILL and took > SOON:
            faults.append(f"took {took:.1f} s to end")
        left = temporary(folder)
        if left and ended != "killed":
            faults.append(f"left {left}")
        if left:
            next_run = [program, "decode", "song.wav", "-o", "next.wav"]
            environment = dict(os.environ, TMPDIR=os.path.join(folder, "tmp"))
            subprocess.run(next_run, cwd=folder, env=environment, check=True, capture_output=True)
            if temporary(folder):
                faults.append(f"the next run left {temporary(folder)}")
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if name in known or name in ("tmp", "next.wav"):
                continue
            if name == "o.checkpoints":
                inside = [os.path.join(path, one) for one in os.listdir(path)]
                torn = [one for one in inside if PREFIX not in one and not is_whole(one)]
                faults += [f"{one} is not whole" for one in torn]
                continue
            is_old = old and name in outputs and Path(path).read_bytes() == b"old"
            if not name.startswith("o.") or not (is_old or is_whole(path)):
                faults.append(f"{name} is not whole")
        now = {name: digest for name, digest in digests_of(folder, known).items()}
        if now != known:
            faults.append("inputs changed")
        return faults, ended, took
    finally:
        shutil.rmtree(folder)


def digests_of(folder, known):
    return {
        name: hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest()
        for name in known
        if os.path.exists(os.path.join(folder, name))
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    chance = random.Random(options.seed)
    inputs = tempfile.mkdtemp(prefix="kills-")
    try:
        prepare(program, inputs)
        known = digests(inputs)
        lengths = {}
        for name, arguments in COMMANDS.items():
            folder = fresh(inputs)
            begun = time.monotonic()
            status = start(program, arguments, folder).wait()
            lengths[name] = time.monotonic() - begun
            shutil.rmtree(folder)
            if status != 0:
                sys.exit(f"{name}: left alone it ended with {status}")
        count, slowest, wrong = collections.Counter(), 0.0, 0
        signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
        names = list(COMMANDS)
        for number in range(options.rounds):
            # Each command meets each signal.
            name = names[number % len(names)]
            sent = signals[(number + number // len(names)) % len(signals)]
            moment = chance.uniform(0.0, lengths[name])
            faults, ended, took = one_round(
                program, inputs, known, COMMANDS[name], sent, moment, number % 2 == 1
            )
            count[sent.name, ended] += 1
            slowest = max(slowest, took if sent != signal.SIGKILL else 0.0)
            wrong += bool(faults)
            for fault in faults:
                when = f"{sent.name} at {moment:.2f} of {lengths[name]:.2f} s"
                print(f"round {number}, {name}, {when}: {fault}")
    finally:
        shutil.rmtree(inputs)
    for (sent, ended), rounds in sorted(count.items()):
        print(f"{sent:8} {ended:12} {rounds:4}")
    print(f"{options.rounds} rounds over {len(COMMANDS)} commands, seed {options.seed}:")
    print(f"{wrong} with a fault; the slowest end took {slowest:.2f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

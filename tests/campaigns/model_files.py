"""Thousands of damaged model files and checkpoints: never a panic, never another model.

    python3 tests/campaigns/model_files.py target/release/neural-composer [--files 2000] [--seed 1]

makes a model and a checkpoint of each kind, damages copies (cut, flipped, overwritten, shortened,
doubled, swapped, wrong numbers, changed letters and digits of the header), and opens each: models
with `info`, checkpoints by going on with their training. Findings: a panic or a signal, more than
10 seconds, an error without the file's name, and success with a file that says something else than
the whole one did, by this script's own reading. The seeded sample of it that
`./test` runs is `tests/model_files.rs`.
"""

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import damaged
import kills

KINDS = {
    "blocks": ["--model", "blocks", "--layers", "gru:16", "--epochs", "2"],
    "grains": ["--model", "grains", "--steps", "4"],
    "codes": ["--model", "codes", "--steps", "4"],
}
LONGEST_SECONDS = 10


def damage(data, chance):
    """A damaged copy, and how it was damaged."""
    header = 8 + int.from_bytes(data[:8], "little")
    way = chance.choice(["letter", "digit", "length", "number of a value", "any"])
    if way == "any":
        return damaged.damage(data, chance)
    data = bytearray(data)
    if way == "letter":
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(8, header)] = chance.randrange(32, 127)
    elif way == "digit":
        digits = [at for at in range(8, header) if chr(data[at]).isdigit()]
        for _ in range(chance.randint(1, 3)):
            data[chance.choice(digits)] = ord(chance.choice("0123456789-.e"))
    elif way == "length":
        length = chance.choice([0, 1, 2**31, 2**63, 2**64 - 1, header, header - 9, header + 8])
        data[:8] = length.to_bytes(8, "little")
    else:
        at = chance.randrange(header, len(data) - 4)
        data[at : at + 4] = random.Random(at).randbytes(4)
    return bytes(data), way


def content(data):
    """All that a file says; `None` where it cannot be read."""
    try:
        header = 8 + int.from_bytes(data[:8], "little")
        told = json.loads(data[8:header])
        metadata = told.pop("__metadata__")
        metadata["neural-composer"] = json.loads(metadata["neural-composer"])
        metadata.pop("neural-composer.checksum", None)
        parts = {}
        for name, one in told.items():
            first, last = one["data_offsets"]
            parts[name] = (one["dtype"], one["shape"], data[header + first : header + last])
        return metadata, parts
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def problem_of(command, folder, name, data, whole):
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        timeout=6 * LONGEST_SECONDS,
        preexec_fn=limit,
        check=False,
    )
    words = (done.stderr + done.stdout).decode(errors="replace")
    seconds = time.monotonic() - began
    if done.returncode not in (0, 1) or "panicked" in words:
        return f"status {done.returncode}: {words[-300:]}"
    if seconds > LONGEST_SECONDS:
        return f"{seconds:.1f} s"
    if done.returncode == 1 and name not in words:
        return f"an error without the file's name: {words[-300:]}"
    if done.returncode == 0 and content(data) != content(whole):
        return "another model than was written, without a word"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=lambda text: str(Path(text).resolve()))
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        kills.write_song(str(place / "song.wav"), 8, 220)
        files = []
        for kind, model in KINDS.items():
            train = [options.program, "train", "song.wav", *model]
            subprocess.run(
                [*train, "-o", f"{kind}.safetensors"], cwd=place, check=True, capture_output=True
            )
            files.append((f"model of {kind}", place / f"{kind}.safetensors", None))
            (checkpoint,) = (place / f"{kind}.checkpoints").iterdir()
            files.append((f"checkpoint of {kind}", checkpoint, train))

        def attempt(number):
            chance = random.Random(f"{options.seed} {number}")
            kind, path, train = files[number % len(files)]
            whole = path.read_bytes()
            data, way = damage(whole, chance)
            name = f"damaged-{number}.safetensors"
            folder = place / str(number)
            folder.mkdir()
            (folder / name).write_bytes(data)
            if train:
                shutil.copy(place / "song.wav", folder)
                command = [*train, "--resume-from", name, "-o", "on.safetensors"]
            else:
                command = [options.program, "info", name]
            problem = problem_of(command, folder, name, data, whole)
            if problem:
                damaged.keep(folder / name, options.keep)
            shutil.rmtree(folder)
            return kind, way, problem

        findings = damaged.count_findings(attempt, options)
    print(f"{options.files} files of {len(files)} kinds, {findings} findings")
    return findings > 0


if __name__ == "__main__":
    sys.exit(main())

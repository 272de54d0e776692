"""Thousands of damaged files of every format: never a panic, never long, never silently wrong.

    python3 tests/campaigns/damaged.py target/release/neural-composer --files 3000 --seed 1

makes one short file of each kind with ffmpeg, damages copies of it (cut, flipped, overwritten,
shortened, doubled, wrong numbers in headers) and decodes each with the program and with ffmpeg.
Findings: a panic or a signal, more than 10 seconds, more than 1 GB, a file left behind by a
failure, an error that does not name the file, and success without a warning where ffmpeg finds
another number of frames by more than a packet. `--keep FOLDER` keeps the files of findings. Needs
ffmpeg. The seeded sample of it that `./test` runs is `tests/audio/damage.rs`.
"""

import argparse
import concurrent.futures
import random
import shutil
import sys
import tempfile
from pathlib import Path

import sounds

LONGEST_SECONDS = 10
MOST_MEGABYTES = 1000
#: A packet, for formats whose packets ffmpeg and the program cut as they like.
PACKET_FRAMES = 4608


def damage(data, chance):
    """A damaged copy, and how it was damaged."""
    data = bytearray(data)
    way = chance.choice(["cut", "head", "flip", "fill", "remove", "double", "number", "swap"])
    at = chance.randrange(len(data))
    if way == "cut":
        del data[max(1, at) :]
    elif way == "head":
        for _ in range(4):
            data[chance.randrange(min(300, len(data)))] = chance.randrange(256)
    elif way == "flip":
        for _ in range(8):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif way == "fill":
        end = min(len(data), at + chance.randrange(1, 400))
        data[at:end] = bytes([chance.choice([0, 255, chance.randrange(256)])]) * (end - at)
    elif way == "remove":
        del data[at : at + chance.randrange(1, 2000)]
    elif way == "double":
        part = data[at : at + chance.randrange(1, 4000)]
        data[at:at] = part
    elif way == "number":
        # A length or a count that cannot be.
        at = chance.randrange(min(600, len(data)))
        wide = chance.choice([2, 4, 8])
        number = chance.choice([0, 1, 2 ** (8 * wide - 1), 2 ** (8 * wide) - 1])
        data[at : at + wide] = number.to_bytes(wide, chance.choice(["little", "big"]))
    else:
        other = chance.randrange(len(data))
        size = chance.randrange(1, 500)
        first, second = data[at : at + size], data[other : other + size]
        size = min(len(first), len(second))
        data[at : at + size], data[other : other + size] = second[:size], first[:size]
    return bytes(data), way


def count_findings(attempt, chosen):
    """Attempts so many files, side by side, and prints those with a problem; how many there are.

    `attempt(number)` gives the kind of the file, how it was damaged, and what is wrong, or "".
    """
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        for number, result in enumerate(pool.map(attempt, range(chosen.files))):
            kind, way, problem = result
            if problem:
                findings += 1
                print(f"{number}, {kind}, {way}: {problem}", flush=True)
    return findings


def keep(path, folder):
    """Keeps the file of a finding, where that is wished."""
    if folder:
        folder.mkdir(exist_ok=True, parents=True)
        shutil.copy(path, folder)


def problem_of(program, kind, path):
    found = sounds.decode(program, path, 3 * LONGEST_SECONDS)
    if found.status not in (0, 1):
        return f"status {found.status}: {found.words.strip()[-300:]}"
    if "panicked" in found.words:
        return f"a panic: {found.words.strip()[-300:]}"
    if found.seconds > LONGEST_SECONDS:
        return f"{found.seconds:.1f} s"
    if found.megabytes > MOST_MEGABYTES:
        return f"{found.megabytes:.0f} MB"
    if found.status == 1:
        if found.samples:
            return "an output beside an error"
        if path.name not in found.words:
            return f"an error without the file's name: {found.words.strip()}"
        return ""
    frames = found.report["frames"]
    if found.report["warnings"]:
        return ""
    # Mixed to one channel and at one rate: frames are counted, whatever changes on the way.
    rate = str(found.report["sample_rate_hz"])
    output = ("-ac", "1", "-ar", rate, "-f", "s16le")
    expected = len(sounds.of_ffmpeg(kind, path, *output)) // 2
    if expected and abs(frames - expected) > max(PACKET_FRAMES, kind.packet):
        return f"{frames} frames, of which ffmpeg finds {expected}, and no warning"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="kinds whose name holds this, as in mp4-aac")
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = {}
        for kind in sounds.KINDS:
            rate_hz = 44100 if 44100 in kind.rates_hz else kind.rates_hz[-1]
            source, path = Path(folder) / "source.wav", Path(folder) / f"whole.{kind.ending}"
            sounds.write_music(source, 1.5, rate_hz, 2, kind.name)
            if chosen.only in kind.name and sounds.encode(kind, source, path):
                whole[kind] = path.read_bytes()
        kinds = list(whole)
        assert kinds, "ffmpeg makes none of the files"

        def attempt(number):
            chance = random.Random(f"{chosen.seed} {number}")
            kind = kinds[number % len(kinds)]
            data, way = damage(whole[kind], chance)
            path = Path(folder) / f"damaged-{number}.{kind.ending}"
            path.write_bytes(data)
            problem = problem_of(chosen.program, kind, path)
            if problem:
                keep(path, chosen.keep)
            path.unlink()
            return kind.name, way, problem

        findings = count_findings(attempt, chosen)
    print(f"{chosen.files} files of {len(kinds)} kinds, {findings} findings")
    return findings > 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Builds a corpus of many songs, at once and with kills: speed, memory, the same bytes.

    python3 tests/campaigns/large_corpus.py target/release/neural-composer SONGS FOLDER \
        [--kills 50] [--seed 1]

SONGS is a folder of songs, FOLDER an empty one with room for the corpus. First the corpus is built
without a disturbance: how many times real time a core, and the largest resident set. Its files'
hashes are kept, and it is removed. Then it is built again, with SIGKILL at random moments and the
same command after each; the last is left alone. Prints a table, and a line for each file that
differs; exits with 1 if any does. Python 3, nothing else.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path


def hashes(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(folder))] = digest
    return found


class Builder:
    def __init__(self, options):
        self.words = [os.path.abspath(options.program), "corpus", "build", str(options.songs)]
        self.folder = options.folder
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(options.folder / "cache"))

    def start(self, output):
        return subprocess.Popen(
            [*self.words, "-o", str(output)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def at_once(self, output):
        begun = time.monotonic()
        _, said = (process := self.start(output)).communicate()
        seconds = time.monotonic() - begun
        if process.returncode != 0:
            sys.exit(f"the build alone: {said}")
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def told_of(program, corpus):
    words = [program, "corpus", "info", str(corpus), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("songs", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    builder, chance = Builder(options), random.Random(options.seed)
    corpus = options.folder / "corpus"
    seconds, processors, megabytes = builder.at_once(corpus)
    known = told_of(builder.words[0], corpus)
    sound = 3600 * known["hours"]
    print(f"{known['songs']} songs, {sound / 3600:.1f} h, in {seconds:.0f} s: ", end="")
    print(f"{sound / processors:.0f} times real time a core, {megabytes:.0f} MB", flush=True)
    expected = hashes(corpus)
    shutil.rmtree(corpus)
    shutil.rmtree(options.folder / "cache", ignore_errors=True)
    killed = 0
    for _ in range(options.kills):
        process = builder.start(corpus)
        # Most at work, some at once, some while it looks at what is there.
        limit = 2 * seconds / options.kills * chance.choice([0.2, 1, 1, 2])
        try:
            process.wait(limit * chance.random())
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
    begun = time.monotonic()
    _, said = (process := builder.start(corpus)).communicate()
    print(f"{killed} kills; the last build took {time.monotonic() - begun:.0f} s", flush=True)
    if process.returncode != 0:
        sys.exit(f"the last build: {said}")
    found = hashes(corpus)
    wrong = [
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    ]
    for name in sorted(wrong):
        print(f"differs: {name}")
    print(f"{len(expected)} files, {len(wrong)} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Kills `corpus build` at random moments while songs come and go: the same bytes as at once.

    python3 tests/campaigns/corpora.py target/release/neural-composer [--rounds 50] [--seed 1]

Each round changes the folder of songs (one comes, goes, changes or is renamed), removes the corpus
half of the time, starts the same command up to four times and sends it SIGKILL, SIGINT or SIGTERM
at a random moment of the time that a build takes when it is left alone; half of the time two
builders run side by side. After each signal the corpus that was there, if any, is opened and
checked. Then the command is left alone, and every byte of the corpus is compared with one that is
built at once, in another folder. Prints a line for each fault and a table; exits with 1 after a
fault. Python 3, nothing else.
"""

import argparse
import collections
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

SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM]
RATE = 22050


def write_song(path, seed, seconds):
    chance = random.Random(seed)
    notes = [chance.choice([0, 2, 4, 5, 7, 9, 11, 12]) for _ in range(64)]
    length = RATE // 4

    def note(semitones):
        step = math.tau * 220 * 2 ** (semitones / 12) / RATE
        samples = (int(9000 * math.sin(step * i) * (1 - i / length)) for i in range(length))
        return b"".join(struct.pack("<h", sample) for sample in samples)

    sounds = {semitones: note(semitones) for semitones in set(notes)}
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        count = int(seconds * 4)
        file.writeframes(b"".join(sounds[notes[i * i % 64]] for i in range(count)))


class Campaign:
    def __init__(self, program, folder, seed):
        self.program, self.folder = program, Path(folder)
        self.chance = random.Random(seed)
        self.songs, self.corpus = self.folder / "songs", self.folder / "corpus"
        self.songs.mkdir()
        self.made = 0
        self.ends = collections.Counter()
        for _ in range(12):
            self.add()
        (self.songs / "broken.mp3").write_text("no song")

    def add(self):
        self.made += 1
        name = self.songs / f"{self.made:03}.wav"
        write_song(name, self.made, self.chance.uniform(20, 90))

    def change(self):
        songs = sorted(self.songs.glob("*.wav"))
        song = self.chance.choice(songs)
        what = self.chance.choice(["add", "remove", "change", "rename", "copy", "nothing"])
        if what == "add" or len(songs) < 8:
            self.add()
        elif what == "remove":
            song.unlink()
        elif what == "change":
            self.made += 1
            write_song(song, self.made, 30)
        elif what == "rename":
            self.made += 1
            song.rename(self.songs / f"renamed-{self.made}.wav")
        elif what == "copy":
            self.made += 1
            shutil.copy(song, self.songs / f"copy-{self.made}.wav")
        return what

    def command(self, *words):
        return [self.program, "corpus", *map(str, words)]

    def start(self, output):
        # What is remembered of files is deleted now and then: hashes decide.
        if self.chance.random() < 0.2:
            shutil.rmtree(self.folder / "cache", ignore_errors=True)
        words = self.command("build", self.songs, "-o", output, "--shard-megabytes", "3")
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.folder / "cache"))
        return subprocess.Popen(
            words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def one_round(self, longest):
        faults = []
        changed = self.change()
        # A build of all songs takes longest, and most signals meet it at work.
        anew = self.chance.random() < 0.5
        if anew:
            shutil.rmtree(self.corpus, ignore_errors=True)
        for _ in range(self.chance.randrange(1, 5)):
            running = [self.start(self.corpus) for _ in range(self.chance.choice([1, 2]))]
            time.sleep(longest * (self.chance.random() if anew else self.chance.random() ** 3))
            for process in running:
                sent = self.chance.choice(SIGNALS)
                process.send_signal(sent)
                _, said = process.communicate(timeout=120)
                self.ends[sent.name, process.returncode] += 1
                fine = process.returncode in (0, -sent, 128 + sent)
                if not fine and "is building this corpus" not in said:
                    faults.append(f"ended with {process.returncode}: {said}")
            if (self.corpus / "contents.parquet").exists():
                words = self.command("check", self.corpus)
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    faults.append(f"after a signal: {done.stderr}")
        last = self.start(self.corpus)
        _, said = last.communicate(timeout=300)
        if last.returncode != 0:
            return [*faults, f"the last build: {said}"], changed
        at_once = self.folder / "at-once"
        self.start(at_once).communicate(timeout=300)
        if files(self.corpus) != files(at_once):
            faults.append("other bytes than built at once")
        shutil.rmtree(at_once)
        return faults, changed


def files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="corpora-") as folder:
        campaign = Campaign(os.path.abspath(options.program), folder, options.seed)
        begun = time.monotonic()
        campaign.start(Path(folder) / "alone").communicate()
        longest = 1.1 * (time.monotonic() - begun)
        changes = collections.Counter()
        for number in range(options.rounds):
            faults, changed = campaign.one_round(longest)
            changes[changed] += 1
            wrong += bool(faults)
            for fault in faults:
                print(f"round {number}, {changed}: {fault}", flush=True)
    for (sent, status), count in sorted(campaign.ends.items()):
        print(f"{sent:8} status {status:4} {count:4}")
    print(", ".join(f"{count} × {what}" for what, count in sorted(changes.items())))
    print(f"{options.rounds} rounds, seed {options.seed}: {wrong} with a fault")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

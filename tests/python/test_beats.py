"""Beats, downbeats and "no beat" against how pieces were made, as mir_eval measures them.

Renders a sample of the held-out pieces of datasets/make_beats, builds and runs beats.rs beside it;
run by ./test with the lab's Python. tests/campaigns/beats.py does so with all of them.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import mir_eval
import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
SONGS = CHECKOUT / "datasets" / "songs"
# Some of each kind of metre and band whose tempo is found, three slower than 75 a minute and
# easily counted twice as fast; the campaign tells how often it is not found.
WITH_BEAT = [
    "joy-plain",
    "prelude-plain",
    "tango-plain",
    "canon-slow",
    "prelude-quick",
    "lantern-street-quick",
    "folia-plain",
    "seven-far",
]
WITHOUT_BEAT = ["rain", "birds", "harp-rolls"]


def beats_program():
    # As `./test` compiles it, or a notebook.
    options = os.environ.get("NEURAL_COMPOSER_CARGO_OPTIONS", "--release").split()
    build = ["cargo", "build", *options, "--example", "beats", "--message-format=json"]
    lines = subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(
        message["executable"]
        for message in messages
        if message.get("executable") and message["target"]["name"] == "beats"
    )


def told(program, songs):
    """What the program tells of each song, by the song's name."""
    lines = subprocess.run([program, *songs], check=True, capture_output=True).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    return {Path(entry["song"]).stem: entry for entry in found}


def rendered(folder, names):
    command = [sys.executable, "-m", "make_beats", "held-out", folder, *names]
    subprocess.run(command, cwd=CHECKOUT / "datasets", check=True, capture_output=True)


def truth(path):
    """(beats, 2): seconds, beat of the bar from 1."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    return np.array(rows, dtype=float).reshape(-1, 2)


def scores(truth, entry):
    """F-measures of beats and of downbeats, within 70 ms."""
    found = np.array(entry["beats"], dtype=float).reshape(-1, 2)

    def downbeats(rows):
        return rows[rows[:, 1] == 1, 0]

    return (
        mir_eval.beat.f_measure(truth[:, 0], found[:, 0]),
        mir_eval.beat.f_measure(downbeats(truth), downbeats(found)),
    )


class BeatsOfPieces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = beats_program()
        cls.folder = tempfile.TemporaryDirectory()
        rendered(cls.folder.name, WITH_BEAT + WITHOUT_BEAT)
        files = [Path(cls.folder.name) / f"{name}.wav" for name in WITH_BEAT + WITHOUT_BEAT]
        cls.told = told(cls.program, files)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_beats_and_downbeats_are_where_they_were_played(self):
        measured = []
        for name in WITH_BEAT:
            score = scores(truth(Path(self.folder.name) / f"{name}.beats"), self.told[name])
            print(f"{name}: beats {score[0]:.3f}, downbeats {score[1]:.3f}")
            measured.append(score)
        beats, downbeats = np.mean(measured, axis=0)
        self.assertGreaterEqual(beats, 0.92)
        self.assertGreaterEqual(downbeats, 0.8)

    def test_a_clear_beat_is_told_from_none(self):
        clear = {name for name in WITH_BEAT if self.told[name]["is_clear"]}
        self.assertEqual(clear, set(WITH_BEAT))
        self.assertEqual([n for n in WITHOUT_BEAT if self.told[n]["is_clear"]], [])

    def test_the_shipped_songs_have_their_tempi(self):
        songs = told(self.program, sorted(path for path in SONGS.iterdir() if path.is_file()))
        # The beats of greensleeves are its eighths.
        tempi = {"prelude": 73, "canon": 62, "lantern-street": 104, "greensleeves": 148}
        for name, tempo in tempi.items():
            with self.subTest(song=name):
                self.assertAlmostEqual(songs[name]["beats_per_minute"], tempo, delta=0.05 * tempo)
        self.assertFalse(songs["still-water"]["is_clear"])


if __name__ == "__main__":
    unittest.main()

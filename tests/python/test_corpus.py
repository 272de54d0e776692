"""A corpus opened with nothing but tarfile, pyarrow and soundfile holds what `decode` gives.

Builds a corpus of the shipped songs and, where ffmpeg is, of other formats and variations of them;
run by ./test with the lab's Python.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import numpy as np
import pyarrow.parquet
import soundfile

CHECKOUT = Path(__file__).resolve().parents[2]
SONGS = CHECKOUT / "datasets" / "songs"
LOSSLESS = "greensleeves.flac"
# The same recording in other formats, by ffmpeg's options.
COPIES = {
    "copy.mp3": ["-b:a", "128k"],
    "copy.ogg": ["-c:a", "libvorbis", "-q:a", "4"],
    "copy.opus": ["-c:a", "libopus", "-b:a", "96k"],
    "copy.m4a": ["-c:a", "aac", "-b:a", "128k"],
    "copy.wav": ["-c:a", "pcm_s16le"],
    "copy 24.wav": ["-c:a", "pcm_s24le"],
    "low.mp3": ["-ar", "22050", "-b:a", "64k"],
}
VARIATIONS = {
    "faster.flac": ["-af", "atempo=1.02"],
    "higher.mp3": ["-af", "asetrate=46722,aresample=44100,atempo=0.94387"],
    "shorter.ogg": ["-t", "40"],
    "later.flac": ["-ss", "10", "-t", "40"],
}
LOUD = {"loud.mp3": ["-af", "atempo=1.1,volume=14dB", "-b:a", "320k"]}


def program():
    # As `./test` compiles it.
    options = os.environ.get("NEURAL_COMPOSER_CARGO_OPTIONS", "--release").split()
    build = ["cargo", "build", *options, "--bin", "neural-composer", "--message-format=json"]
    lines = subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(message["executable"] for message in messages if message.get("executable"))


def convert(source, target, options):
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, "-bitexact", *options, target]
    subprocess.run(command, check=True)


class CorpusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.place = Path(cls.folder.name)
        cls.songs = cls.place / "songs"
        cls.corpus = cls.place / "corpus"
        cls.program = program()
        shutil.copytree(SONGS, cls.songs)
        cls.has_ffmpeg = shutil.which("ffmpeg") is not None
        if cls.has_ffmpeg:
            for name, options in (COPIES | VARIATIONS).items():
                convert(SONGS / LOSSLESS, cls.songs / name, options)
            for name, options in LOUD.items():
                convert(SONGS / "lantern-street.mp3", cls.songs / name, options)
        cls.facts = json.loads(
            cls.run_program("corpus", "build", cls.songs, "-o", cls.corpus, "--json")
        )
        cls.rows = pyarrow.parquet.read_table(cls.corpus / "contents.parquet").to_pylist()
        cls.by_path = {row["path"]: row for row in cls.rows}

    @classmethod
    def run_program(cls, *arguments):
        environment = dict(os.environ, XDG_CACHE_HOME=str(cls.place / "cache"))
        done = subprocess.run(
            [cls.program, *map(str, arguments)], env=environment, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        return done.stdout

    def stored(self, row):
        """The FLAC file of a row, found by its offset."""
        with (self.corpus / "shards" / row["shard"]).open("rb") as shard:
            shard.seek(row["offset"])
            return shard.read(row["size"])

    def test_tar_files_and_the_table_tell_the_same(self):
        members = {}
        for shard in sorted((self.corpus / "shards").iterdir()):
            with tarfile.open(shard) as archive:
                for member in archive:
                    members[member.name] = archive.extractfile(member).read()
        stored = [row for row in self.rows if row["shard"]]
        self.assertGreaterEqual(len(stored), 5)
        self.assertEqual(len(members), 2 * len(stored))
        for row in stored:
            flac = members[f"{row['key']}.flac"]
            self.assertEqual(flac, self.stored(row))
            self.assertEqual(hashlib.sha256(flac).hexdigest(), row["sha256"])
            said = json.loads(members[f"{row['key']}.json"])
            for name in ("title", "artist", "seconds", "sample_rate_hz", "scale", "loudness_lufs"):
                self.assertEqual(said[name], row[name], row["path"])
            content = (self.songs / row["path"]).read_bytes()
            self.assertEqual(hashlib.sha256(content).hexdigest(), row["content_sha256"])

    def test_samples_are_those_that_decode_gives(self):
        for row in self.rows:
            if not row["shard"]:
                continue
            with self.subTest(row["path"]):
                file = io.BytesIO(self.stored(row))
                whole, rate = soundfile.read(file, dtype="int32", always_2d=True)
                self.assertEqual((rate, len(whole)), (row["sample_rate_hz"], row["frames"]))
                self.assertEqual(
                    hashlib.sha256(whole.astype("<i4").tobytes()).hexdigest(), row["samples_sha256"]
                )
                exact = row["scale"] == 1
                form = {16: "int16", 24: "int24"}[row["bits"]] if exact else "float32"
                wav = self.place / "decoded.wav"
                self.run_program("decode", self.songs / row["path"], "-o", wav, "--format", form)
                kind = "int32" if exact else "float64"
                decoded, _ = soundfile.read(wav, dtype=kind, always_2d=True)
                if exact:
                    np.testing.assert_array_equal(whole, decoded)
                else:
                    step = row["scale"] / 2 ** row["bits"]
                    apart = np.abs(whole / 2**31 * row["scale"] - decoded).max()
                    self.assertLessEqual(apart, step * 1.001)
                    self.assertGreater(np.abs(decoded).max(), 1.0)
                    self.assertIn("beyond full scale", row["warnings"])

    def test_formats_are_one_song_and_variations_are_songs(self):
        if not self.has_ffmpeg:
            self.skipTest("no ffmpeg")
        # Of equals the first path, and the shipped song has 16 bits: the 24 bits are more.
        kept = "copy 24.wav"
        copies = {name: self.by_path[name]["duplicate_of"] for name in [*COPIES, LOSSLESS]}
        self.assertEqual(copies, {name: None if name == kept else kept for name in copies})
        for name in VARIATIONS | LOUD:
            self.assertIsNone(self.by_path[name]["duplicate_of"], name)
        self.assertGreater(self.by_path["loud.mp3"]["scale"], 1)

    def test_it_is_checked_and_described(self):
        self.run_program("corpus", "check", self.corpus)
        facts = json.loads(self.run_program("corpus", "info", self.corpus, "--json"))
        for name in ("songs", "hours", "formats"):
            self.assertEqual(facts[name], self.facts[name])
        self.assertEqual(facts["songs"], sum(row["shard"] is not None for row in self.rows))


if __name__ == "__main__":
    unittest.main()
